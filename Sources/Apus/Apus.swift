/// Kernel-bypass packet I/O for Linux: one import for all rooms of the library.
@_exported public import ApusConfig
@_exported public import ApusCrypto
@_exported public import ApusEndHost
@_exported public import ApusFilter
@_exported public import ApusHost
@_exported public import ApusPacketSocket
@_exported public import ApusPorts
@_exported public import ApusRTP
@_exported public import ApusRings
@_exported public import ApusRuntime
@_exported public import ApusTime
@_exported public import ApusWire
@_exported public import ApusXDP

#if DPDK
    @_exported public import ApusDPDK
#endif
