import ClairoCore
import Testing

@testable import ClairoMedia

@Suite struct StretchClockTests {
    /// One packet: its stream, and its time in milliseconds. Video (0) has 40 ms per packet, audio (1) 20 ms.
    private struct Event {
        var stream: Int
        var time: Int64
        var isKey = true
        var file = 0
        var hasDTS = true
    }

    private static func video(_ times: some Sequence<Int>) -> [Event] {
        times.map { Event(stream: 0, time: Int64($0)) }
    }

    /// Two streams from `start` for `count` frames, interleaved.
    private static func both(from start: Int, count: Int) -> [Event] {
        (0..<count).flatMap { index in
            let time = Int64(start + 40 * index)
            return [Event(stream: 0, time: time), Event(stream: 1, time: time), Event(stream: 1, time: time + 20)]
        }
    }

    private static func timeline(
        _ events: [Event], joinsGaps: Bool = true, hasVideo: Bool = true
    ) -> StretchClock.Timeline {
        var clock = StretchClock(longestGap: 5)
        var counts: [Int: Int] = [:]
        for event in events {
            clock.take(
                stream: event.stream, packet: counts[event.stream, default: 0], base: Rational(1, 1000),
                pts: event.time, dts: event.hasDTS ? event.time : nil, duration: event.stream == 0 ? 40 : 20,
                isKey: event.isKey, joinsGaps: joinsGaps, file: event.file)
            counts[event.stream, default: 0] += 1
        }
        return clock.timeline(video: hasVideo ? 0 : nil)
    }

    @Test func aSteadyClockNeedsNoCorrection() {
        let timeline = Self.timeline(Self.both(from: 500, count: 100))
        #expect(timeline.corrections.isEmpty && timeline.breaks.isEmpty && timeline.damaged.isEmpty)
        #expect(timeline.extents[0]?.start == 500 && timeline.extents[0]?.end == 4500)
    }

    @Test func aRestartedClockContinuesWhereTheVideoEnded() {
        let timeline = Self.timeline(Self.both(from: 0, count: 100) + Self.both(from: 0, count: 100))
        #expect(timeline.corrections[0] == [ClockCorrection(packet: 100, shift: 4000)])
        #expect(timeline.corrections[1] == [ClockCorrection(packet: 200, shift: 4000)])
        #expect(timeline.breaks == [4])
    }

    @Test func aClockMayRestartOftenAfterAShortTime() {
        let timeline = Self.timeline((0..<5).flatMap { _ in Self.both(from: 1400, count: 50) })
        #expect(timeline.breaks.count == 4 && timeline.damaged.isEmpty)
        #expect(timeline.corrections[0]?.map(\.packet) == [50, 100, 150, 200])
        #expect(timeline.corrections[0]?.map(\.shift) == [2000, 4000, 6000, 8000])
        #expect(timeline.corrections[1]?.map(\.packet) == [100, 200, 300, 400])
        #expect(timeline.corrections[1]?.map(\.shift) == [2000, 4000, 6000, 8000])
    }

    /// Three files of `count` frames. The first packets of Matroska with B frames have no decoding time.
    private static func files(_ count: Int, every step: Int = 0) -> [Event] {
        (0..<3).flatMap { file in
            both(from: step * file, count: count).enumerated().map { number, event in
                var event = event
                event.file = file
                event.hasDTS = event.stream == 1 || number > 3
                return event
            }
        }
    }

    @Test(arguments: [1, 3, 100])
    func eachOfSeveralFilesHasAClockOfItsOwn(count: Int) {
        let timeline = Self.timeline(Self.files(count))
        let length = Int64(40 * count)
        #expect(timeline.corrections[0]?.map(\.packet) == [count, 2 * count])
        #expect(timeline.corrections[0]?.map(\.shift) == [length, 2 * length])
        #expect(timeline.corrections[1]?.map(\.packet) == [2 * count, 4 * count])
        #expect(timeline.corrections[1]?.map(\.shift) == [length, 2 * length])
    }

    @Test func theClockOfSeveralFilesMayGoOn() {
        #expect(Self.timeline(Self.files(100, every: 4000)).corrections.isEmpty)
    }

    @Test func aStreamThatBeginsWithALaterFileFollowsItsClock() {
        let silent = Self.video(stride(from: 0, to: 4000, by: 40))
        let later = Self.both(from: 0, count: 100).map { event in
            var event = event
            event.file = 1
            return event
        }
        // The audio comes first.
        let timeline = Self.timeline(silent + [later[1], later[0]] + later.dropFirst(2))
        #expect(timeline.corrections[0] == [ClockCorrection(packet: 100, shift: 4000)])
        #expect(timeline.corrections[1] == [ClockCorrection(packet: 0, shift: 4000)])
    }

    @Test(arguments: [20_000, 14_400_000])
    func aJumpOfAllStreamsAheadIsJoined(jump: Int) {
        let timeline = Self.timeline(Self.both(from: 0, count: 100) + Self.both(from: jump, count: 100))
        #expect(timeline.corrections[0] == [ClockCorrection(packet: 100, shift: Int64(4000 - jump))])
        #expect(timeline.corrections[1] == [ClockCorrection(packet: 200, shift: Int64(4000 - jump))])
    }

    @Test func aShortGapStaysAGap() {
        let timeline = Self.timeline(Self.both(from: 0, count: 100) + Self.both(from: 8000, count: 100))
        #expect(timeline.corrections.isEmpty)
    }

    @Test func aPauseOfOneStreamIsNoBreak() {
        // Audio goes on while the video shows one frame for a minute.
        let audio = (0..<3000).map { Event(stream: 1, time: Int64(4000 + 20 * $0)) }
        let timeline = Self.timeline(Self.both(from: 0, count: 100) + audio + Self.both(from: 64_000, count: 10))
        #expect(timeline.corrections.isEmpty)
    }

    @Test func anEditedFileKeepsItsPauses() {
        let timeline = Self.timeline(Self.video([0, 40, 60_000, 120_000]), joinsGaps: false)
        #expect(timeline.corrections.isEmpty)
    }

    @Test func streamsThatBreakOneAfterTheOtherStayInStep() {
        // Audio of the new recording arrives while video of the old one is still being read.
        let old = Self.both(from: 0, count: 100)
        let late = Self.video(stride(from: 4000, to: 4400, by: 40))
        let early = (0..<20).map { Event(stream: 1, time: Int64(20 * $0)) }
        let new = (0..<50).flatMap { index in
            [Event(stream: 0, time: Int64(40 * index)), Event(stream: 1, time: Int64(400 + 20 * index))]
        }
        let timeline = Self.timeline(old + early + late + new)
        #expect(timeline.corrections[0] == [ClockCorrection(packet: 110, shift: 4400)])
        #expect(timeline.corrections[1] == [ClockCorrection(packet: 200, shift: 4400)])
    }

    @Test func oneDamagedTimeMovesNothingElse() {
        var events = Self.video(stride(from: 0, to: 4000, by: 40))
        events[50].time = 1_680_000
        let timeline = Self.timeline(events)
        #expect(timeline.damaged[0] == [50])
        #expect(timeline.breaks.isEmpty)
        #expect(
            timeline.corrections[0] == [
                ClockCorrection(packet: 50, shift: 2000 - 1_680_000), ClockCorrection(packet: 51, shift: 0),
            ])
    }

    @Test func aDamagedTimeInThePastMovesNothingElse() {
        var events = Self.video(stride(from: 100_000, to: 104_000, by: 40))
        events[50].time = 0
        let timeline = Self.timeline(events)
        #expect(timeline.damaged[0] == [50])
        #expect(timeline.corrections[0]?.last == ClockCorrection(packet: 51, shift: 0))
    }

    @Test func audioAloneIsJoinedToo() {
        let audio = (0..<100).map { Event(stream: 1, time: Int64(20 * $0)) }
        let timeline = Self.timeline(audio + audio, hasVideo: false)
        #expect(timeline.corrections[1] == [ClockCorrection(packet: 100, shift: 2000)])
    }

    @Test func aStretchBeginsWithItsFirstKeyFrame() {
        var second = Self.both(from: 0, count: 50)
        for index in second.indices where second[index].stream == 0 && second[index].time < 200 {
            second[index].isKey = false
        }
        let timeline = Self.timeline(Self.both(from: 0, count: 100) + second)
        #expect(timeline.corrections[0] == [ClockCorrection(packet: 100, shift: 3800)])
    }

    @Test func hostileTimesDoNotTrap() {
        for times in [[.min + 1, .max, 0], [.max, .max, .min + 1], [0, .max, 1, .min + 1]] as [[Int64]] {
            let timeline = Self.timeline(times.map { Event(stream: 0, time: $0) })
            #expect(timeline.extents[0] != nil)
        }
    }
}

@Suite struct JoinedPacketsTests {
    private static func stream(_ times: [Int64], keys: Set<Int>) -> PacketTally.Stream {
        var stream = PacketTally.Stream()
        stream.count = times.count
        stream.packets = times.map { PacketTally.PacketRecord(time: $0, dts: $0, bytes: 100) }
        stream.keyFrames = keys.sorted().map { PacketTally.KeyPacket(packet: $0, pts: times[$0], dts: times[$0]) }
        return stream
    }

    private static let steady = (0..<20).map { Int64($0 * 40) }

    @Test func framesBeforeTheFirstKeyFrameAreLeftOut() {
        let joined = JoinedPackets(Self.stream(Self.steady, keys: [5, 10]), corrections: [], damaged: [])
        #expect(joined.records.map(\.time) == Array(Self.steady[5...]))
        #expect(joined.skippedAtStart == 5)
        #expect(joined.corrections == [ClockCorrection(packet: 0, shift: nil), ClockCorrection(packet: 5, shift: 0)])
    }

    @Test func aStreamWithoutKeyFramesIsUsedAsItIs() {
        let joined = JoinedPackets(Self.stream(Self.steady, keys: []), corrections: [], damaged: [])
        #expect(joined.records.count == 20 && joined.corrections.isEmpty)
    }

    @Test func framesBeforeTheKeyFrameOfALaterStretchAreLeftOut() {
        let times = Array(Self.steady[..<10]) + Self.steady[..<10]
        let joined = JoinedPackets(
            Self.stream(times, keys: [0, 13]), corrections: [ClockCorrection(packet: 10, shift: 280)], damaged: [])
        #expect(joined.records.map(\.time) == Array(Self.steady[..<10]) + (3..<10).map { Int64($0 * 40 + 280) })
        #expect(joined.skippedLater == 3)
    }

    @Test func framesBeforeTheKeyFrameOfAStreamThatContinuesTheTrackAreLeftOut() {
        var stream = Self.stream(Self.steady, keys: [0, 13])
        stream.partStarts = [10]
        let joined = JoinedPackets(stream, corrections: [], damaged: [])
        #expect(joined.records.map(\.time) == Array(Self.steady[..<10]) + Self.steady[13...])
        #expect(joined.skippedLater == 3)
    }

    @Test func aStreamWithoutKeyFramesBetweenOthersIsLeftOut() {
        var stream = Self.stream(Self.steady, keys: [0, 15])
        stream.partStarts = [10, 15]
        let joined = JoinedPackets(stream, corrections: [], damaged: [])
        #expect(joined.records.map(\.time) == Array(Self.steady[..<10]) + Self.steady[15...])
        #expect(joined.corrections == [ClockCorrection(packet: 10, shift: nil), ClockCorrection(packet: 15, shift: 0)])
    }

    @Test func aPacketWithoutTimesIsThePartOfAFrame() {
        // The second field of a frame in a transport stream.
        var stream = Self.stream(Self.steady, keys: [0])
        for number in stream.packets.indices where number % 2 == 1 {
            stream.packets[number] = PacketTally.PacketRecord(time: nil, dts: nil, bytes: 40)
        }
        let joined = JoinedPackets(stream, corrections: [], damaged: [])
        #expect(joined.records.map(\.time) == (0..<10).map { Int64($0 * 80) })
        #expect(joined.records.allSatisfy { $0.bytes == 140 })
    }

    @Test func aDamagedTimeIsReplacedByThatOfTheMissingFrame() {
        // In decoding order, with B frames: the damaged one belongs at 200.
        var times: [Int64] = [0, 80, 40, 160, 120, 240, 200, 320, 280, 400, 360]
        times[6] = 90_000
        let joined = JoinedPackets(
            Self.stream(times, keys: [0]),
            corrections: [ClockCorrection(packet: 6, shift: 280 - 90_000), ClockCorrection(packet: 7, shift: 0)],
            damaged: [6])
        #expect(joined.records.map(\.time) == (0...10).map { Int64($0 * 40) })
    }

    @Test func aCursorGivesTheCorrectionOfEachPacket() {
        var cursor = CorrectionCursor([ClockCorrection(packet: 2, shift: nil), ClockCorrection(packet: 4, shift: 7)])
        #expect((0..<6).map { cursor.shift(ofPacket: $0) } == [0, 0, nil, nil, 7, 7])
    }
}
