import Testing

@testable import ApusRuntime

@Suite struct LinkWatchTests {
    private let second: UInt64 = 1_000_000_000
    private func said(_ isUp: Bool) -> LinkReport {
        LinkReport(isUp: isUp, megabits: 1000, isFullDuplex: true)
    }

    @Test func `a link that is up at first is no news, and one that is down is, and is no change`() {
        var watch = LinkWatch()
        let isNews = watch.note(said(true), received: 0, at: second)
        #expect(!isNews && watch.report == said(true))
        var other = LinkWatch()
        let isNewsToo = other.note(said(false), received: 0, at: second)
        #expect(isNewsToo && other.changes == 0 && other.report?.isUp == false)
    }

    @Test func `each change is told once and counted`() {
        var watch = LinkWatch()
        var news: [Bool] = []
        for (number, isUp) in [true, true, false, false, false, true, true, false].enumerated() {
            news.append(watch.note(said(isUp), received: 7, at: UInt64(number) * second))
        }
        #expect(news == [false, false, true, false, false, true, false, true])
        #expect(watch.changes == 3)
    }

    @Test func `what was on its way when the link went down does not make it up`() {
        var watch = LinkWatch()
        _ = watch.note(said(true), received: 10, at: 0)
        _ = watch.note(said(false), received: 10, at: second)
        _ = watch.note(said(false), received: 14, at: second + 1000)
        for number in 2..<10 as Range<UInt64> {
            let isNews = watch.note(said(false), received: 20, at: number * second)
            #expect(!isNews && watch.report?.isUp == false)
        }
    }

    @Test func `a driver that calls a link down by which packets come is not believed until it calls it up`()
    {
        var watch = LinkWatch()
        _ = watch.note(said(true), received: 0, at: 0)
        _ = watch.note(said(false), received: 0, at: second)
        _ = watch.note(said(false), received: 1, at: 2 * second)
        let isNews = watch.note(said(false), received: 5, at: 3 * second)
        #expect(isNews && watch.report?.isUp == true && watch.changes == 2)
        let isMore = watch.note(said(false), received: 5, at: 4 * second)
        #expect(!isMore && watch.report?.isUp == true)
        _ = watch.note(said(true), received: 5, at: 5 * second)
        let isDown = watch.note(said(false), received: 5, at: 6 * second)
        #expect(isDown && watch.report?.isUp == false)
    }

    @Test func `what a device does not say is unknown`() {
        var watch = LinkWatch()
        let isNews = watch.note(nil, received: 0, at: 0)
        #expect(!isNews && watch.report == nil && watch.changes == 0)
    }
}
