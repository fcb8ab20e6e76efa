/// Joins the fields of H.264 whose pictures are coded as separate fields, if each field has a packet and a time of its
/// own. A decoder returns one frame for both.
enum FieldPairs {
    /// The number of frames that tell.
    private static let enoughFrames = 4

    /// The length of a frame in ticks; nil unless every decoded frame is made from two packets.
    /// - Parameters:
    ///   - decoded: The times of the first frames.
    ///   - packets: The times of all packets, sorted.
    static func frameTicks(decoded: [Int64], packets: [Int64]) -> Int64? {
        let frames = Set(decoded).sorted()
        guard frames.count >= enoughFrames, let first = frames.first, let last = frames.last else { return nil }
        let near = packets.filter { $0 >= first && $0 <= last }
        // One packet begins each frame, and one lies between it and the next.
        guard near.count == 2 * frames.count - 1,
            near.enumerated().allSatisfy({ number, time in
                number % 2 == 0 ? time == frames[number / 2] : time > frames[number / 2]
            })
        else { return nil }
        let steps = zip(frames.dropFirst(), frames).map { $0 - $1 }.sorted()
        return steps[steps.count / 2]
    }

    /// One record for each frame: of its first field, with the bytes of both. Pictures that are coded as frames stay.
    static func joined(_ records: [JoinedPackets.Record], frameTicks: Int64) -> [JoinedPackets.Record] {
        records.reduce(into: []) { frames, record in
            if let last = frames.last, 4 * (record.time - last.time) < 3 * frameTicks {
                frames[frames.count - 1].bytes = Int32(clamping: Int64(last.bytes) + Int64(record.bytes))
            } else {
                frames.append(record)
            }
        }
    }
}
