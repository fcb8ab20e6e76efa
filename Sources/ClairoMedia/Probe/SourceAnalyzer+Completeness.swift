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

    /// Whether decoding can begin anywhere: the container has an index of key frames, and their timestamps are usable.
    func isSeekable(_ demuxer: Demuxer, video: Int?, tally: PacketTally) -> Bool {
        guard let video, let stream = demuxer.streams.first(where: { $0.index == video }),
            let packets = tally.streams[video], packets.keyFrames.count > 1, packets.lacksTimes == 0
        else { return false }
        if demuxer.formatName.hasPrefix("mov") { return stream.declaredFrames > 0 }
        return demuxer.formatName.hasPrefix("matroska")
    }
}
