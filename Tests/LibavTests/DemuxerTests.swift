import ClairoTestSupport
import Foundation
import Libav
import Testing

@Suite struct DemuxerTests {
    @Test func containerAndStreamAreDescribed() throws {
        let demuxer = try Demuxer(MemoryMedia.wav(samples: 8000))
        #expect(demuxer.formatName == "wav")
        #expect(!demuxer.formatLongName.isEmpty)
        let stream = try #require(demuxer.streams.first)
        #expect(demuxer.streams.count == 1)
        #expect(stream.kind == .audio)
        #expect(stream.codecName == "pcm_s16le")
        #expect(stream.canDecode)
        #expect(stream.channels == 1)
        #expect(stream.channelLayout == "1 channels")
        #expect(stream.sampleRate == 8000)
        #expect(stream.timeBase == Ratio(1, 8000))
        #expect(!stream.isEncrypted)
    }

    @Test func videoStreamIsDescribed() throws {
        let stream = try #require(try Demuxer(MemoryMedia.gif(width: 32, height: 20, grey: [0, 100])).streams.first)
        #expect(stream.kind == .video)
        #expect(stream.width == 32)
        #expect(stream.height == 20)
        #expect(stream.displayMatrix == nil)
        #expect(!stream.isInterlaced)
    }

    @Test func packetsContainEveryByteInOrder() throws {
        let file = MemoryMedia.wav(samples: 20_000)
        let packets = try Demuxer(file).readAll()
        #expect(packets.reduce(into: Data()) { $0 += $1.data } == file.dropFirst(44))
        #expect(packets.first?.pts == 0)
        #expect(zip(packets, packets.dropFirst()).allSatisfy { ($0.pts ?? 0) + $0.duration == $1.pts })
        #expect(packets.allSatisfy { $0.isKey && $0.streamIndex == 0 && !$0.isCorrupt })
    }

    @Test func readsASourceThatReturnsFewBytesAtATime() throws {
        let demuxer = try Demuxer(Bytes(MemoryMedia.wav(samples: 3000), largestRead: 7), options: .all)
        #expect(try demuxer.readAll().reduce(0) { $0 + $1.size } == 6000)
    }

    @Test(arguments: [
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\nsecret.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile secret.mp4\n",
        "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\"></MPD>",
        "<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"></svg>",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
        "<html><body>not a film</body></html>", "P6 2 2 255 aaabbbcccddd", "WEBVTT\n\n00:00.000 --> 00:01.000\nHi\n",
        "\u{89}PNG\r\n\u{1A}\n", "x", "",
    ])
    func refusesAFileThatIsNotMedia(content: String) {
        // The blanks at the end satisfy short probes: the file must be refused because of the allow-list, not for its
        // length.
        for text in [content, content + String(repeating: " ", count: 4000)] {
            #expect(throws: AVError.self) { try Demuxer(Data(text.utf8)) }
        }
    }

    @Test func aContainerThatIsNotAllowedIsRefused() throws {
        let options = DemuxerOptions(formatWhitelist: "mov,matroska", codecWhitelist: "pcm_s16le")
        #expect(throws: AVError.invalidArgument) { try Demuxer(MemoryMedia.wav(samples: 100), options: options) }
    }

    @Test func aCodecThatIsNotAllowedIsNotDecoded() throws {
        let options = DemuxerOptions(formatWhitelist: "wav", codecWhitelist: "aac,pcm_s16lexx")
        let demuxer = try Demuxer(MemoryMedia.wav(samples: 100), options: options)
        #expect(demuxer.streams.map(\.canDecode) == [false])
        #expect(throws: AVError.decoderNotFound) { try demuxer.makeDecoder(stream: 0) }
    }

    @Test(arguments: [-1, 1, .max])
    func aMissingStreamHasNoDecoder(index: Int) throws {
        let demuxer = try Demuxer(MemoryMedia.wav(samples: 100))
        #expect(throws: AVError.invalidArgument) { try demuxer.makeDecoder(stream: index) }
    }

    @Test func aFrameOverThePixelLimitIsNotDecoded() throws {
        let options = DemuxerOptions(formatWhitelist: "gif", codecWhitelist: "gif", maxPixels: 100)
        let file = MemoryMedia.gif(width: 32, height: 20, grey: [0, 100])
        // Refused on opening, or no frames.
        let frames = try? Demuxer(file, options: options).frames()
        #expect((frames ?? []).isEmpty)
        #expect(try Demuxer(file).frames().count == 2)
    }

    @Test func openingRethrowsTheErrorOfTheSource() {
        for offset: Int64 in [0, 10, 44] {
            #expect(throws: Bytes.Fault(offset: offset)) {
                try Demuxer(Bytes(MemoryMedia.wav(samples: 100_000), failsFrom: offset), options: .all)
            }
        }
    }

    @Test func readingRethrowsTheErrorOfTheSource() throws {
        let bytes = Bytes(MemoryMedia.wav(samples: 1_000_000), failsFrom: 1_500_000)
        let demuxer = try Demuxer(bytes, options: .all)
        var read = 0
        #expect(throws: Bytes.Fault(offset: 1_500_000)) {
            while let packet = try demuxer.read() { read += packet.size }
        }
        #expect(read > 1_000_000)
    }

    @Test func interruptStopsOpening() {
        let interrupt = Interrupt()
        interrupt.trigger()
        #expect(throws: AVError.exitRequested) {
            try Demuxer(Bytes(MemoryMedia.wav(samples: 100)), options: .all, interrupt: interrupt)
        }
    }

    @Test func interruptStopsReadingUntilItIsReset() throws {
        let interrupt = Interrupt()
        let demuxer = try Demuxer(
            Bytes(MemoryMedia.wav(samples: 1_000_000)), options: .all, interrupt: interrupt)
        interrupt.trigger()
        #expect(throws: AVError.exitRequested) { while try demuxer.read() != nil {} }
        interrupt.reset()
        #expect(!interrupt.isTriggered)
        try demuxer.seek(stream: 0, to: 0)
        #expect(try demuxer.read()?.pts == 0)
    }

    @Test func repeatedSeeksReachTheRequestedTimes() throws {
        let file = MemoryMedia.wav(samples: 200_000)
        let demuxer = try Demuxer(file)
        for wanted: Int64 in [150_000, 0, 70_001, 199_999, 1, 150_000] {
            try demuxer.seek(stream: 0, to: wanted)
            let packet = try #require(try demuxer.read())
            let pts = try #require(packet.pts)
            #expect(pts <= wanted)
            #expect(wanted - pts < 10_000)
            #expect(packet.data == file.subdata(in: 44 + Int(pts) * 2..<44 + Int(pts) * 2 + packet.size))
        }
        // At the end there are no packets, and a seek recovers.
        _ = try demuxer.readAll()
        #expect(try demuxer.read() == nil)
        try demuxer.seek(stream: 0, to: 0)
        #expect(try demuxer.read()?.pts == 0)
    }

    @Test func seekingInAMissingStreamIsAnError() throws {
        let demuxer = try Demuxer(MemoryMedia.wav(samples: 100))
        for index in [-1, 1, .max] {
            #expect(throws: AVError.invalidArgument) { try demuxer.seek(stream: index, to: 0) }
        }
    }

    @Test func aSelectedStreamReturnsAllItsPackets() throws {
        let demuxer = try Demuxer(MemoryMedia.wav(samples: 1000))
        demuxer.select(streams: [0])
        #expect(try demuxer.readAll().reduce(0) { $0 + $1.size } == 2000)
    }

    @Test func damagedFilesAreErrorsOrFewerFramesAndNeverACrash() {
        var state: UInt64 = 1
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for original in [MemoryMedia.wav(samples: 500), MemoryMedia.gif(width: 16, height: 16, grey: [0, 90, 200])] {
            for _ in 0..<150 {
                var data = original
                for _ in 0..<1 + random(6) { data[random(data.count)] = UInt8(random(256)) }
                if random(3) == 0 { data = data.prefix(random(data.count)) }
                _ = try? Demuxer(Data(data)).frames()
            }
        }
    }
}
