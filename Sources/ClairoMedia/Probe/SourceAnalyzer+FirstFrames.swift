internal import ClairoCore
internal import Libav

extension SourceAnalyzer {
    /// Decodes the first frames to read size, pixel shape, interlacing and colour from the bitstream.
    func refine(
        _ video: inout VideoStream, scan: SourceScan.VideoScan?, warnings: inout [String]
    ) throws {
        let demuxer = try Demuxer(SourceBytes(source), options: limits.demuxerOptions, interrupt: interrupt)
        demuxer.select(streams: [video.index])
        let decoder = try demuxer.openDecoder(stream: video.index, of: name)
        var frames: [Frame] = []
        var packets = 0
        while frames.count < 8, packets < 300 {
            let packet = try demuxer.read()
            if let packet, packet.streamIndex != video.index { continue }
            packets += 1
            try decoder.send(packet)
            receiving: while true {
                switch try decoder.receive() {
                case .value(let frame): frames.append(frame)
                case .needsInput, .drained: break receiving
                }
            }
            if packet == nil { break }
        }
        guard let first = frames.first else {
            throw ClairoError.badMedia(
                "\(name): no frame of its \(video.codec) video can be decoded (\(decoder.errorCount) errors)")
        }
        let color = ColorDescription(
            primaries: Int(first.colorPrimaries), transfer: Int(first.colorTransfer), matrix: Int(first.colorMatrix),
            isFullRange: first.isFullRange)
        if color.transfer != 2, video.color.transfer != 2, color.transfer != video.color.transfer {
            warnings.append("container and bitstream disagree about colour; the bitstream is believed")
        }
        video.codedSize = FrameSize(width: first.width, height: first.height)
        video.pixelFormat = first.pixelFormatName
        video.bitDepth = first.bitDepth
        video.isInterlaced = frames.contains(where: \.isInterlaced)
        if color.primaries != 2 { video.color.primaries = color.primaries }
        if color.transfer != 2 { video.color.transfer = color.transfer }
        if color.matrix != 2 { video.color.matrix = color.matrix }
        video.color.isFullRange = color.isFullRange
        video.dynamicRange = DynamicRange(transfer: video.color.transfer)
        let stored = scan?.stream.sampleAspectRatio
        video.apply(sampleAspectRatio: stored?.isUsable == true ? stored : first.sampleAspectRatio)
        guard Int64(max(video.codedSize.pixels, video.displaySize.pixels)) <= limits.maxPixels else {
            throw ClairoError.badMedia(
                "\(name): its frames have \(video.displaySize) pixels, more than the limit of \(limits.maxPixels)",
                advice: "Raise the limit with --max-pixels if you trust the file.")
        }
    }
}
