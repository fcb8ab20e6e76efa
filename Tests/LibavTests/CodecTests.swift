import ClairoTestSupport
import Foundation
import Libav
import Testing

@Suite struct AudioCodecTests {
    private static func tone(_ count: Int, from start: Int = 0, frequency: Double) -> [Float] {
        (start..<start + count).map { Float(sin(Double($0) * 2 * .pi * frequency / 48_000)) * 0.5 }
    }

    /// Encodes a stereo tone of complete audio frames: 440 Hz left, 1000 Hz right.
    private static func encode(frames: Int) throws -> (encoder: Encoder, packets: [EncodedPacket]) {
        let encoder = try Encoder(audio: "aac", channels: 2, sampleRate: 48_000, bitRate: 128_000)
        var packets: [EncodedPacket] = []
        for index in 0..<frames {
            let start = index * encoder.frameSize
            let (left, right) = (
                tone(encoder.frameSize, from: start, frequency: 440),
                tone(encoder.frameSize, from: start, frequency: 1000)
            )
            let frame = try Frame.audio(channels: [left[...], right[...]], sampleRate: 48_000, pts: Int64(start))
            try encoder.send(frame, pts: Int64(start))
            packets += try encoder.packets()
        }
        try encoder.send(nil)
        return (encoder, packets + (try encoder.packets()))
    }

    @Test func encoderReportsItsFrameSizePrimingAndConfiguration() throws {
        let encoder = try Encoder(audio: "aac", channels: 1, sampleRate: 48_000, bitRate: 64_000)
        #expect(encoder.frameSize == 1024)
        #expect(encoder.initialPadding == 1024)
        // AAC-LC, 48 kHz, one channel. libav may append a word about SBR.
        #expect(Array(encoder.extradata.prefix(2)) == [0x11, 0x88])
    }

    @Test func toneSurvivesEncodingAndDecoding() throws {
        let packets = try Self.encode(frames: 40).packets
        #expect(packets.count == 41)
        #expect(packets.map(\.pts) == (0..<41).map { Int64($0 - 1) * 1024 })
        #expect(packets.allSatisfy { $0.isKey })
        let demuxer = try Demuxer(MemoryMedia.adts(packets.map(\.data), channels: 2))
        #expect(demuxer.streams.first?.codecName == "aac")
        let frames = try demuxer.frames()
        #expect(frames.allSatisfy { $0.channels == 2 && $0.sampleRate == 48_000 && $0.sampleCount == 1024 })
        for (channel, frequency) in [440.0, 1000].enumerated() {
            let samples = frames.flatMap { $0.withSamples(channel: channel, Array.init) ?? [] }
            let expected = Self.tone(30_000, frequency: frequency).dropFirst(4000)
            func difference(delay: Int) -> Float {
                let squares = zip(samples.dropFirst(delay + 4000), expected).map { ($0 - $1) * ($0 - $1) }
                return (squares.reduce(0, +) / Float(squares.count)).squareRoot()
            }
            // Without a container's edit list, the priming samples are decoded first.
            #expect(difference(delay: 1024) < 0.06)
            #expect(difference(delay: 1024 - 5) > 0.1 && difference(delay: 1024 + 5) > 0.1)
        }
    }

    @Test func drainedEncoderStaysDrained() throws {
        let encoder = try Self.encode(frames: 2).encoder
        #expect(try encoder.receive().isDrained)
        #expect(try encoder.receive().isDrained)
        let frame = try Frame.audio(channels: [[0], [0]], sampleRate: 48_000, pts: 0)
        let error = #expect(throws: AVError.self) { try encoder.send(frame) }
        #expect(error?.description.hasPrefix("End of file") == true)
    }

    @Test func encoderNeedsInputBeforeItProducesOutput() throws {
        let encoder = try Encoder(audio: "aac", channels: 1, sampleRate: 48_000, bitRate: 64_000)
        #expect(try encoder.receive().wantsInput)
        try encoder.send(nil)
        #expect(try encoder.receive().isDrained)
    }

    @Test func encoderRefusesAFrameOfAnotherSize() throws {
        let encoder = try Encoder(audio: "aac", channels: 2, sampleRate: 48_000, bitRate: 128_000)
        let silence = [Float](repeating: 0, count: 5000)
        #expect(throws: AVError.self) {
            try encoder.send(Frame.audio(channels: [silence[...], silence[...]], sampleRate: 48_000, pts: 0))
        }
    }

    @Test func decoderReturnsAllFramesAndIgnoresPacketsAfterTheEnd() throws {
        let demuxer = try Demuxer(MemoryMedia.wav(samples: 5000))
        let decoder = try demuxer.makeDecoder(stream: 0)
        #expect(try decoder.receive().wantsInput)
        var samples = 0
        for packet in try demuxer.readAll() + [nil] as [Packet?] {
            try decoder.send(packet)
            while let frame = try decoder.receive().value { samples += frame.sampleCount }
        }
        #expect(try decoder.receive().isDrained)
        #expect(samples == 5000)
        try demuxer.seek(stream: 0, to: 0)
        try decoder.send(try demuxer.read())
        #expect(try decoder.receive().isDrained)
        #expect(decoder.errorCount == 0)
    }

    @Test func invalidPacketsAreCountedAndTheRestIsDecoded() throws {
        var packets = try Self.encode(frames: 20).packets.map(\.data)
        packets[7] = Data(repeating: 0xFF, count: packets[7].count)
        let demuxer = try Demuxer(MemoryMedia.adts(packets, channels: 2))
        let decoder = try demuxer.makeDecoder(stream: 0)
        var frames = 0
        for packet in try demuxer.readAll() + [nil] as [Packet?] {
            try decoder.send(packet)
            while try decoder.receive().value != nil { frames += 1 }
        }
        #expect(decoder.errorCount >= 1)
        #expect(frames >= 18)
    }

    @Test func resamplerDownmixesStereoToMonoAndKeepsTimestamps() throws {
        let loud = [Float](repeating: 0.5, count: 4800)
        let quiet = [Float](repeating: 0.1, count: 4800)
        let block = try Frame.audio(channels: [loud[...], quiet[...]], sampleRate: 48_000, pts: 0)
        let graph = try FilterGraph(
            audio: "[in]aresample=24000:rematrix_maxval=1.0,aformat=sample_fmts=fltp:channel_layouts=mono[out0]",
            like: block,
            timeBase: Ratio(1, 48_000))
        for index in 0..<10 { try graph.push(block, pts: Int64(index * 4800)) }
        try graph.push(nil)
        var samples: [Float] = []
        while let output = try graph.pull().value {
            #expect(output.channels == 1 && output.sampleRate == 24_000)
            samples += output.withSamples(channel: 0, Array.init) ?? []
        }
        #expect(try graph.pull().isDrained)
        #expect(graph.timeBase(output: 0) == Ratio(1, 24_000))
        #expect(samples.count == 24_000)
        #expect(samples.dropFirst(1000).dropLast(1000).allSatisfy { abs($0 - 0.3) < 0.01 })
    }

    @Test func samplesAreAccessibleOnlyForExistingChannels() throws {
        let frame = try Frame.audio(channels: [[1, 2, 3], [4, 5, 6]], sampleRate: 8000, pts: 9)
        #expect(frame.sampleCount == 3)
        #expect(frame.channels == 2)
        #expect(frame.pts == 9)
        #expect(frame.withSamples(channel: 1, Array.init) == [4, 5, 6])
        #expect(frame.withSamples(channel: 2, Array.init) == nil)
        #expect(frame.withSamples(channel: -1, Array.init) == nil)
        #expect(frame.withRow(plane: 99, row: 0, width: 1, Array.init) == nil)
    }
}

@Suite struct VideoCodecTests {
    private static let grey: [UInt8] = (0..<30).map { 20 + $0 * 7 }

    /// Frames in 4:2:0, each of a single grey value, for an encoder.
    private static func greyFrames(width: Int = 64, height: Int = 48) throws -> [Frame] {
        let frames = try Demuxer(MemoryMedia.gif(width: width, height: height, grey: grey)).frames()
        let first = try #require(frames.first)
        let graph = try FilterGraph(
            video: "[in]scale=out_range=tv,format=yuv420p,setsar=1[out0]", like: first, timeBase: Ratio(1, 100),
            outputs: 1)
        return try frames.enumerated().map { index, frame in
            try graph.push(frame, pts: Int64(index * 10))
            return try #require(try graph.pull().value)
        }
    }

    private static func settings(
        width: Int = 64, height: Int = 48, options: [(String, String)] = []
    ) -> VideoEncoderSettings {
        VideoEncoderSettings(
            encoder: "libx264", width: width, height: height, frameRate: Ratio(24000, 1001), gopFrames: 10,
            options: [("preset", "medium"), ("crf", "10"), ("x264-params", "scenecut=0:open-gop=0")] + options)
    }

    private static func luma(_ frame: Frame) -> UInt8? { frame.withRow(plane: 0, row: 5, width: frame.width) { $0[5] } }

    @Test func aGIFIsDecodedToItsGreyValues() throws {
        let frames = try Demuxer(MemoryMedia.gif(width: 64, height: 48, grey: Self.grey)).frames()
        #expect(frames.count == Self.grey.count)
        #expect(frames.allSatisfy { $0.width == 64 && $0.height == 48 && !$0.isInterlaced && !$0.isDamaged })
        for (frame, grey) in zip(frames, Self.grey) {
            let pixel = frame.withRow(plane: 0, row: 47, width: 64 * 4) { Array($0.suffix(4)) }
            #expect(pixel == [grey & ~1, grey & ~1, grey & ~1, 255])
        }
        #expect(frames.map(\.pts) == (0..<30).map { Int64($0) * 10 })
    }

    @Test func framesSurviveFilterEncoderAndDecoder() throws {
        let sources = try Self.greyFrames()
        #expect(sources.allSatisfy { $0.pixelFormatName == "yuv420p" && $0.bitDepth == 8 })
        let encoder = try Encoder(video: Self.settings(), first: sources[0])
        var packets: [EncodedPacket] = []
        for (index, source) in sources.enumerated() {
            try encoder.send(source, pts: Int64(100 + index))
            packets += try encoder.packets()
        }
        try encoder.send(nil)
        packets += try encoder.packets()
        #expect(try encoder.receive().isDrained)
        #expect(encoder.reorderDelay > 0)
        #expect(packets.map(\.pts).sorted() == (100..<130).map(Int64.init))
        #expect(packets.map(\.dts) == packets.indices.map { Int64(100 + $0 - encoder.reorderDelay) })
        #expect(packets.allSatisfy { $0.dts <= $0.pts })
        // Closed GOPs of ten: an IDR at every tenth frame and nowhere else.
        #expect(packets.filter(\.isKey).map(\.pts) == [100, 110, 120])

        let stream = packets.reduce(encoder.extradata) { $0 + $1.data }
        let demuxer = try Demuxer(stream)
        let info = try #require(demuxer.streams.first)
        #expect(info.codecName == "h264" && info.profileName == "High")
        for threads: Int32 in [1, 3] {
            let frames = try Demuxer(stream).frames(threads: threads)
            #expect(frames.count == sources.count)
            for (frame, source) in zip(frames, sources) {
                let (shown, wanted) = try (#require(Self.luma(frame)), #require(Self.luma(source)))
                #expect(abs(Int(shown) - Int(wanted)) <= 3)
            }
            #expect(frames.map(\.isKey) == frames.indices.map { $0 % 10 == 0 })
        }
    }

    /// The encoder must not copy the flags of source frames: neither interlacing nor key frames nor colour.
    @Test func interlacedKeyFramesOfASourceAreEncodedAsPlainFrames() throws {
        let sources = try Self.greyFrames()
        let graph = try FilterGraph(
            video: "[in]setfield=tff,setparams=colorspace=bt709:range=tv[out0]", like: sources[0],
            timeBase: Ratio(1, 25), outputs: 1)
        let encoder = try Encoder(video: Self.settings(), first: sources[0])
        var packets: [EncodedPacket] = []
        for (index, source) in sources.enumerated() {
            try graph.push(source, pts: Int64(index))
            let flagged = try #require(try graph.pull().value)
            #expect(flagged.isInterlaced && flagged.colorMatrix == 1 && !flagged.isFullRange)
            try encoder.send(flagged, pts: Int64(index))
            packets += try encoder.packets()
        }
        try encoder.send(nil)
        packets += try encoder.packets()
        #expect(packets.filter(\.isKey).map(\.pts) == [0, 10, 20])
        let frames = try Demuxer(packets.reduce(encoder.extradata) { $0 + $1.data }).frames()
        #expect(frames.count == sources.count)
        #expect(frames.allSatisfy { !$0.isInterlaced && $0.colorMatrix == 2 })
    }

    /// From FFmpeg 7 on, filters negotiate colour space and range based on the graph's input parameters. Before, a
    /// scaler used those of each frame. An explicit range gives the same values either way, and the matrix is kept.
    @Test(arguments: [true, false], ["bt709", "smpte170m", "bt2020nc"])
    func scalerConvertsTheRangeAndKeepsTheMatrix(isFullRange: Bool, matrix: String) throws {
        let source = try Self.greyFrames()[3]
        let tag = try FilterGraph(
            video: "[in]setparams=range=\(isFullRange ? "pc" : "tv"):colorspace=\(matrix)[out0]", like: source,
            timeBase: Ratio(1, 25), outputs: 1)
        try tag.push(source)
        let tagged = try #require(try tag.pull().value)
        #expect(tagged.isFullRange == isFullRange)
        let range = isFullRange ? ":in_range=pc:out_range=tv" : ""
        let graph = try FilterGraph(
            video: "[in]scale=w=32:h=24:flags=bicubic\(range),format=yuv420p,setsar=1[out0]", like: tagged,
            timeBase: Ratio(1, 25), outputs: 1)
        try graph.push(tagged)
        let scaled = try #require(try graph.pull().value)
        #expect(scaled.colorMatrix == tagged.colorMatrix && !scaled.isFullRange)
        let (before, after) = try (Int(#require(Self.luma(tagged))), Int(#require(Self.luma(scaled))))
        #expect(abs(after - (isFullRange ? 16 + before * 219 / 255 : before)) <= 1)
    }

    @Test func aFrameIsUnchangedByMultipleConsumers() throws {
        let sources = try Self.greyFrames()
        let before = sources.map(Self.luma)
        let graph = try FilterGraph(
            video: "[in]split[out0][c];[c]scale=w=32:h=24:flags=bicubic,setsar=1[out1]", like: sources[0],
            timeBase: Ratio(1, 1_000_000), outputs: 2)
        let encoder = try Encoder(video: Self.settings(), first: sources[0])
        for (index, source) in sources.enumerated() {
            try graph.push(source, pts: 0)
            let (large, small) = try (#require(graph.pull(output: 0).value), #require(graph.pull(output: 1).value))
            #expect(large.width == 64 && large.height == 48 && small.width == 32 && small.height == 24)
            #expect(Self.luma(large) == Self.luma(source))
            try encoder.send(large, pts: Int64(index))
            _ = try encoder.packets()
        }
        #expect(sources.map(Self.luma) == before)
        #expect(try graph.pull(output: 1).wantsInput)
    }

    @Test func anUnknownEncoderOptionIsAnError() throws {
        let source = try Self.greyFrames()[0]
        do {
            _ = try Encoder(video: Self.settings(options: [("colour", "blue")]), first: source)
            Issue.record("the encoder was opened")
        } catch {
            #expect(error == .invalidArgument)
            #expect(error.lastLogLine == "libx264 has no option colour")
        }
    }

    @Test func anUnknownEncoderIsAnError() throws {
        do {
            _ = try Encoder(audio: "no-such-codec", channels: 2, sampleRate: 48_000, bitRate: 1)
            Issue.record("the encoder was opened")
        } catch {
            #expect(error == .invalidArgument)
            #expect(error.description.contains("no-such-codec"))
        }
    }

    @Test func anUnencodableSizeIsAnError() throws {
        let source = try Self.greyFrames()[0]
        // Only sizes that libav refuses: x264 leaks some memory on sizes that it refuses itself (odd ones).
        for (width, height) in [(0, 48), (-2, 48)] {
            #expect(throws: AVError.self) {
                try Encoder(video: Self.settings(width: width, height: height), first: source)
            }
        }
    }

    @Test func unknownFiltersAreAnError() throws {
        let source = try Self.greyFrames()[0]
        for description in ["[in]nosuchfilter[out0]", "[in]scale=w=-5:h=x[out0]", "", "[in]null[out7]"] {
            #expect(throws: AVError.self, "\(description)") {
                try FilterGraph(video: description, like: source, timeBase: Ratio(1, 25), outputs: 1)
            }
        }
    }

    @Test func filterGraphReturnsAllFramesBeforeItIsDrained() throws {
        let sources = try Self.greyFrames()
        let graph = try FilterGraph(
            video: "[in]bwdif=mode=send_frame:parity=auto:deint=interlaced[out0]", like: sources[0],
            timeBase: Ratio(1, 25), outputs: 1)
        var times: [Int64?] = []
        for (index, source) in sources.enumerated() {
            try graph.push(source, pts: Int64(index))
            while let frame = try graph.pull().value { times.append(frame.pts) }
        }
        // The filter looks ahead by one frame.
        #expect(times.count == sources.count - 1)
        try graph.push(nil)
        while let frame = try graph.pull().value { times.append(frame.pts) }
        #expect(times.count == sources.count)
        #expect(try graph.pull().isDrained)
    }

    @Test func onlyExistingRowsAreAccessible() throws {
        let source = try Self.greyFrames(width: 64, height: 48)[0]
        #expect(source.withRow(plane: 0, row: 47, width: 64, \.count) == 64)
        #expect(source.withRow(plane: 0, row: 48, width: 64, \.count) == nil)
        #expect(source.withRow(plane: 0, row: -1, width: 64, \.count) == nil)
        #expect(source.withRow(plane: 3, row: 0, width: 1, \.count) == nil)
        #expect(source.withRow(plane: 0, row: 0, width: 100_000, \.count) == nil)
    }
}

@Suite struct AVErrorTests {
    @Test func theDescriptionIsThatOfLibav() {
        #expect(AVError.invalidData.description == "Invalid data found when processing input")
        #expect(AVError.exitRequested.description == "Immediate exit requested")
        #expect(AVError.outOfMemory.description == "Cannot allocate memory")
    }

    @Test func errorsAreEqualIfTheirCodesAre() {
        #expect(AVError.invalidData == AVError.invalidData)
        #expect(AVError.invalidData != AVError.exitRequested)
        #expect(Set([AVError.inputOutput, .inputOutput, .decoderNotFound]).count == 2)
    }

    @Test func librariesReportTheirVersions() throws {
        #expect(Libraries.version?.first?.isNumber == true)
        // Debian 11 has 160; 164 is that of Debian 12 and 13.
        #expect(try #require(X264.build) >= 160)
    }
}
