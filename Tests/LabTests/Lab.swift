import Testing

/// The forwarder as a whole, beside programs nobody here wrote, in namespaces of its own. Needs root.
///
/// One test at a time, since two cores carry the senders, the forwarder and the receivers.
@Suite(.serialized) enum Lab {}
