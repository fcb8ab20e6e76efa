internal import Foundation

/// 3GPP Timed Text (3GPP TS 26.245), the subtitles of MP4 and MOV: a length, text, and boxes that modify it.
enum MovText {
    /// The cue of a sample; nil for one without text, which ends the one before.
    /// - Parameter decode: Decodes text.
    static func cue(_ sample: Data, from start: Int64, to end: Int64, decode: (Data) -> String) -> Cue? {
        let bytes = Data(sample)
        guard bytes.count >= 2 else { return nil }
        let length = Int(bytes[0]) << 8 | Int(bytes[1])
        guard length > 0, bytes.count >= 2 + length else { return nil }
        let text = decode(bytes.subdata(in: 2..<2 + length))
        var styles = [StyledText.Style](repeating: [], count: text.unicodeScalars.count)
        for box in ISOBox.all(in: bytes.subdata(in: 2 + length..<bytes.count)) where box.type == "styl" {
            for (range, style) in records(box.payload) {
                let bounded = range.clamped(to: styles.indices)
                for index in bounded { styles[index] = style }
            }
        }
        var styled = StyledText()
        for (scalar, style) in zip(text.unicodeScalars, styles) { styled.append(String(scalar), style) }
        let markup = styled.markup
        return markup.isEmpty ? nil : Cue(start: start, end: end, text: markup)
    }

    /// The runs of a style box (5.17.1.1): first and last character, font, face, size, colour.
    private static func records(_ payload: Data) -> [(Range<Int>, StyledText.Style)] {
        let bytes = Data(payload)
        guard bytes.count >= 2 else { return [] }
        let count = Int(bytes[0]) << 8 | Int(bytes[1])
        return (0..<count).compactMap { index in
            let start = 2 + 12 * index
            guard bytes.count >= start + 12 else { return nil }
            func number(_ offset: Int) -> Int { Int(bytes[start + offset]) << 8 | Int(bytes[start + offset + 1]) }
            let (first, end) = (number(0), number(2))
            let face = bytes[start + 6]
            var style: StyledText.Style = []
            if face & 1 != 0 { style.insert(.bold) }
            if face & 2 != 0 { style.insert(.italic) }
            if face & 4 != 0 { style.insert(.underline) }
            return (first..<max(first, end), style)
        }
    }
}

/// WebVTT in MP4 (ISO/IEC 14496-30, 6): a sample has one box for each cue that is shown during it.
enum WebVTTSample {
    static func cues(_ sample: Data, from start: Int64, to end: Int64, decode: (Data) -> String) -> [Cue] {
        ISOBox.all(in: sample).filter { $0.type == "vttc" }.compactMap { box in
            let parts = ISOBox.all(in: box.payload)
            func text(_ type: String) -> String? { parts.first { $0.type == type }.map { decode($0.payload) } }
            guard let payload = text("payl") else { return nil }
            return Cue(
                start: start, end: end, settings: WebVTT.settings(text("sttg") ?? ""),
                text: WebVTT.cueText(TextLine.split(payload)))
        }
    }

    /// Joins the parts of cues that samples split because another cue begins or ends.
    static func joined(_ cues: [Cue]) -> [Cue] {
        struct Content: Hashable {
            var settings: String
            var text: String
        }
        var joined: [Cue] = []
        var last: [Content: Int] = [:]
        for cue in cues {
            let content = Content(settings: cue.settings, text: cue.text)
            if let index = last[content], joined[index].end == cue.start {
                joined[index].end = cue.end
            } else {
                last[content] = joined.count
                joined.append(cue)
            }
        }
        return joined
    }
}

/// A box of ISO/IEC 14496-12 within a sample.
struct ISOBox {
    var type: String
    var payload: Data

    /// The boxes in some data, up to the first that does not fit.
    static func all(in data: Data) -> [ISOBox] {
        let bytes = Data(data)
        var boxes: [ISOBox] = []
        var offset = 0
        while offset + 8 <= bytes.count {
            let size = Int(Int64(bigEndianBytes: bytes[offset..<offset + 4]))
            guard size >= 8, offset + size <= bytes.count else { break }
            boxes.append(
                ISOBox(
                    type: String(decoding: bytes[offset + 4..<offset + 8], as: UTF8.self),
                    payload: bytes.subdata(in: offset + 8..<offset + size)))
            offset += size
        }
        return boxes
    }
}
