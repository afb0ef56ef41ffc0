import ApusConfig
import Testing

@testable import ApusRuntime

@Suite struct ReloadLogTests {
    private let second: UInt64 = 1_000_000_000

    @Test
    func `of a thousand reloads in a second one is told of, and the others together with the last outcome`() {
        var log = ReloadLog()
        let start = 5 * second
        let isFirstTold = log.tells(start)
        #expect(isFirstTold)
        for number in 1..<1000 {
            let now = start + UInt64(number) * second / 1000
            let (isTold, early) = (log.tells(now), log.take(now))
            #expect(!isTold && early?.count == nil)
            log.join(.control(process: 7, user: UInt32(number)), .reloadFailed("reason \(number)"))
        }
        let joined = log.take(start + second)
        #expect(joined?.count == 999 && joined?.asker == .control(process: 7, user: 999))
        #expect(joined.map { "\($0.outcome)" } == "the configuration stays as it was: reason 999")
        // The next second begins with that.
        let isToldThen = log.tells(start + second + 1)
        let rest = log.take(start + second * 9)
        let isToldLater = log.tells(start + second * 9)
        #expect(!isToldThen && rest?.count == nil && isToldLater)
    }

    @Test func `a failure is told of with its reason, also when a later reload of the second went well`() {
        var log = ReloadLog()
        _ = log.tells(second)
        log.join(.signal(1), .reloadFailed("a typo"))
        log.join(.signal(1), .reloaded(ForwarderConfiguration(streams: [])))
        log.join(.signal(1), .reloaded(ForwarderConfiguration(streams: [])))
        let joined = log.take(second * 2)
        #expect(joined?.count == 3)
        #expect(joined?.failure.map { "\($0)" } == "the configuration stays as it was: a typo")
        #expect(joined.map { "\($0.outcome)" }?.contains("is in force") == true)
    }
}
