import Testing
import TestpmdChild

@Suite struct TestpmdFiguresTests {
    /// What 22.11 says at the end of its turn.
    static let words = """
        Telling cores to ...
        Waiting for lcores to finish...

          ---------------------- Forward statistics for port 0  ----------------------
          RX-packets: 96704          RX-dropped: 0             RX-total: 96704
          TX-packets: 96832          TX-dropped: 0             TX-total: 96832
          ----------------------------------------------------------------------------

          +++++++++++++++ Accumulated forward statistics for all ports+++++++++++++++
          RX-packets: 96704          RX-dropped: 0             RX-total: 96704
          TX-packets: 96832          TX-dropped: 0             TX-total: 96832
          ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++

          CPU cycles/packet=38.47 (total cycles=3720256 / total IO packets=96704) at 2450 MHz Clock

        Done.
        """

    @Test func numbers() {
        let figures = TestpmdFigures(Self.words)
        #expect(figures.received == 96704 && figures.sent == 96832 && figures.ticks == 3_720_256)
        #expect(figures.text == Self.words)
    }

    @Test func theLastNumberIsThatOfAllPorts() {
        let two = Self.words.replacing("RX-packets: 96704", with: "RX-packets: 1", maxReplacements: 1)
        #expect(TestpmdFigures(two).received == 96704)
    }

    @Test func whereItSaysNothingThereIsNothing() {
        let none = TestpmdFigures("Packet forwarding not started\n\nDone.")
        #expect(none.received == 0 && none.sent == 0 && none.ticks == 0)
    }
}
