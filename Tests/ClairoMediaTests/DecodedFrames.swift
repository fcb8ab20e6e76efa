import Libav

extension Demuxer {
    /// All frames of the first stream.
    func frames() throws -> [Frame] {
        let decoder = try makeDecoder(stream: 0)
        var frames: [Frame] = []
        var isAtEnd = false
        while !isAtEnd {
            let packet = try read()
            isAtEnd = packet == nil
            try decoder.send(packet)
            while case .value(let frame) = try decoder.receive() { frames.append(frame) }
        }
        return frames
    }
}
