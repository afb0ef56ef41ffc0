import Apus
import Testing

@Suite struct OpenPortTests {
    @Test func `an interface that is not there is named once, beside those that are`() {
        let error = #expect(throws: OpenPortError.self) { _ = try openPort("nosuchif0", udp: [7]) }
        let text = "\(error as Any)"
        #expect(
            text.contains("nosuchif0 can't be opened; there is no such interface; there are: "), "\(text)")
        #expect(text.matches(of: /nosuchif0/).count == 1 && text.contains("lo"), "\(text)")
    }
}
