internal import ClairoCore
internal import Libav

extension SourceAnalyzer {
    func truncation(
        missing: Int64?, declared: Double?, format: String, tally: PacketTally, readable: Double, end: Double
    ) -> String? {
        if let missing {
            return
                "\(missing) \(missing == 1 ? "byte is" : "bytes are") missing at its end; \(clock(readable)) can be read"
        }
        if tally.endedByError { return "reading stopped at an error after \(clock(readable))" }
        // MP4 headers may declare any duration, and the boxes have been checked above.
        if !format.hasPrefix("mov"), let declared, declared - end > max(1, declared * 0.02), declared < 1e7 {
            return "its header promises \(clock(declared)), \(clock(readable)) can be read"
        }
        return nil
    }

    /// The warning for a file of which a large part belongs to no stream, such as a second file that is appended to it.
    /// - Parameter last: The last of the files that it consists of.
    func unreadWarning(
        _ demuxer: Demuxer, contents: SourceContents, last: any ByteSource
    ) throws(ClairoError) -> [MediaWarning] {
        let unread: Int64
        let tolerated: Double
        let format = demuxer.formatName
        if format.hasPrefix("mov"), try ContainerExtent.payloads(in: last, format: format) != nil {
            // Cameras append data of their own.
            (unread, tolerated) = (try ContainerExtent.bytesAfterMP4(last), 0.05)
        } else if format.hasPrefix("mov") || ["flv", "matroska,webm", "wav"].contains(format) {
            // Each stream has a description and perhaps an attachment, and each packet a header, or a fragment of its own.
            let header: Int64 = format.hasPrefix("mov") ? 150 : 20
            let described = contents.streams.reduce(0) { $0 + 1000 + Int64($1.extradata.count) }
            let read = contents.tally.streams.values.reduce(described) { $0 + $1.bytes + header * Int64($1.count) }
            (unread, tolerated) = (source.size - read, 0.25)
        } else {
            // Other containers have padding.
            return []
        }
        guard unread > 16_384, Double(unread) > tolerated * Double(source.size) else { return [] }
        return [
            MediaWarning(
                .framesLost,
                "\(unread) of \(source.size) bytes belong to no stream and are left out",
                advice: "If several recordings were joined into this file, split it.")
        ]
    }

    /// Whether decoding can begin anywhere: the container has an index of key frames, their timestamps are usable, and
    /// each frame's place follows from its own time.
    func isSeekable(_ demuxer: Demuxer, scan: SourceScan.VideoScan?, contents: SourceContents) -> Bool {
        guard let scan, contents.parts == nil, scan.keyFrames.count > 1, scan.placement == .times,
            !scan.hasFalseKeyFrames,
            contents.tally.streams[scan.stream.index]?.lacksTimes == 0,
            (contents.corrections[scan.stream.index] ?? []).allSatisfy({ $0.shift ?? 0 == 0 })
        else { return false }
        if demuxer.formatName.hasPrefix("mov") { return scan.stream.declaredFrames > 0 }
        return demuxer.formatName.hasPrefix("matroska")
    }
}
