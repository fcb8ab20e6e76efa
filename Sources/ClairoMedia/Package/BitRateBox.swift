/// The bit rates of a sample entry (`btrt`; ISO/IEC 14496-12, 8.5.2). They are those of the plan, because the chunks of a
/// rung, each made on its own, have to agree on the init segment.
struct BitRateBox: Hashable, Sendable {
    /// The decoding buffer in bits; 0 if unknown.
    var bufferSize: Int64
    /// In bits per second.
    var maximum: Int64
    /// In bits per second; 0 if it depends on the content (ISO/IEC 14496-1, 7.2.6.6.2).
    var average: Int64

    func write(to writer: inout BoxWriter) {
        writer.box("btrt") { box in
            box.u32(UInt32(clamping: (bufferSize + 7) / 8))
            box.u32(UInt32(clamping: maximum))
            box.u32(UInt32(clamping: average))
        }
    }
}
