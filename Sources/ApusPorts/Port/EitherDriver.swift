public import ApusRings

/// A port over one of two drivers, chosen when it is opened: for programs whose interfaces got
/// different backends.
///
/// Cost: one predictable branch a call, so a fraction of one a packet.
@frozen
public struct EitherDriver<First: PortDriver & ~Copyable, Second: PortDriver & ~Copyable>: PortDriver,
    ~Copyable
{
    // Exactly one of them is there.
    @usableFromInline var first: First?
    @usableFromInline var second: Second?
    // How the choice between them went; nil when there was none to make.
    @usableFromInline let choice: PortGrant.Feature?
    // Only to be let go of with it.
    @usableFromInline let kept: (any AnyObject & Sendable)?

    /// The first kind, how it came to be that one, and what shall live as long as this: no call looks at it.
    public init(
        first: consuming First, choice: PortGrant.Feature? = nil,
        keeping kept: (any AnyObject & Sendable)? = nil
    ) {
        self.first = consume first
        second = nil
        self.choice = choice
        self.kept = kept
    }

    /// The second kind, how it came to be that one, and what shall live as long as this: no call looks at it.
    public init(
        second: consuming Second, choice: PortGrant.Feature? = nil,
        keeping kept: (any AnyObject & Sendable)? = nil
    ) {
        first = nil
        self.second = consume second
        self.choice = choice
        self.kept = kept
    }

    /// Whether the driver that is there is of the first kind.
    package var isFirst: Bool { first != nil }

    /// Takes out the driver, which must be of the first kind; see ``isFirst``. What was kept beside it is let go.
    package consuming func intoFirst() -> First { first.take()! }

    /// Takes out the driver, which must be of the second kind; see ``isFirst``. What was kept beside it is let go.
    package consuming func intoSecond() -> Second { second.take()! }

    /// Calls `body` with the first kind of driver, for what is special to it; `nil` when the other is there.
    public mutating func withFirst<Result: ~Copyable, Failure: Error>(
        _ body: (inout First) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        guard first != nil else { return nil }
        return try body(&first!)
    }

    /// Calls `body` with the second kind of driver, for what is special to it; `nil` when the other is there.
    public mutating func withSecond<Result: ~Copyable, Failure: Error>(
        _ body: (inout Second) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        guard second != nil else { return nil }
        return try body(&second!)
    }

    /// Receives by the driver that is there. See ``PortDriver/receive(into:)``.
    @inlinable
    public mutating func receive(into burst: inout Burst) -> Int {
        if first != nil { return first!.receive(into: &burst) }
        return second!.receive(into: &burst)
    }

    /// Sends by the driver that is there. See ``PortDriver/transmit(_:)``.
    @inlinable
    public mutating func transmit(_ burst: inout Burst) -> Int {
        if first != nil { return first!.transmit(&burst) }
        return second!.transmit(&burst)
    }

    /// Flushes the driver that is there. See ``PortDriver/flush()``.
    @inlinable
    public mutating func flush() {
        if first != nil { return first!.flush() }
        second!.flush()
    }

    /// Whether its driver may be waited for. See ``PortDriver/mayWait()``.
    @inlinable
    public mutating func mayWait() -> Bool {
        if first != nil { return first!.mayWait() }
        return second!.mayWait()
    }

    /// A free frame of its driver's pool.
    @inlinable
    public mutating func takeFrame() -> Frame? {
        if first != nil { return unsafe first!.takeFrame() }
        return unsafe second!.takeFrame()
    }

    /// Its driver's pool.
    public var pool: FramePool {
        @inlinable
        _read {
            switch first {
            case .some(let driver): yield driver.pool
            case .none:
                switch second {
                case .some(let driver): yield driver.pool
                case .none: preconditionFailure("an EitherDriver has one of two drivers")
                }
            }
        }
        @inlinable
        _modify {
            if first != nil { yield &first!.pool } else { yield &second!.pool }
        }
    }

    /// Whether its driver can send the packet without copying it.
    @inlinable
    public func canSend(_ packet: borrowing Packet) -> Bool {
        switch first {
        case .some(let driver): driver.canSend(packet)
        case .none: bySecond { $0.canSend(packet) }
        }
    }

    /// Frames inside its driver.
    public var framesInside: Int {
        switch first {
        case .some(let driver): driver.framesInside
        case .none: bySecond { $0.framesInside }
        }
    }

    /// Its driver's descriptor to wait for; -1 when that must be polled.
    public var readyDescriptor: Int32 {
        switch first {
        case .some(let driver): driver.readyDescriptor
        case .none: bySecond { $0.readyDescriptor }
        }
    }

    /// The longest packet its driver sends, link-layer header included, in bytes.
    public var maximumPacketSize: Int {
        switch first {
        case .some(let driver): driver.maximumPacketSize
        case .none: bySecond { $0.maximumPacketSize }
        }
    }

    /// That of the driver, preceded by how the choice went.
    public var grant: PortGrant {
        let own =
            switch first {
            case .some(let driver): driver.grant
            case .none: bySecond { $0.grant }
            }
        guard let choice else { return own }
        return PortGrant(
            backend: own.backend, interface: own.interface, queue: own.queue,
            features: [choice] + own.features)
    }

    @inlinable
    func bySecond<Result>(_ body: (borrowing Second) -> Result) -> Result {
        switch second {
        case .some(let driver): body(driver)
        case .none: preconditionFailure("an EitherDriver has one of two drivers")
        }
    }

    /// Its driver's counters.
    public mutating func statistics() -> PortStatistics {
        if first != nil { return first!.statistics() }
        return second!.statistics()
    }
}

extension Port where Driver: ~Copyable {
    /// Takes the driver out, to wrap it in another or to end it by what is special to it. What the port counted
    /// goes with the port: ask for its ``statistics()`` before.
    public consuming func intoDriver() -> Driver { driver }
}
