internal import ClairoCore
internal import Foundation

/// Renditions of all kinds for people.
extension Render {
    /// A table of finished renditions with a last column of the caller's.
    static func renditions(
        _ records: [RenditionRecord], last header: String, _ cell: (Int) -> String
    ) -> String {
        table(
            ["kind", "rendition", "format", "codec", "average", "peak", header],
            records.enumerated().map { index, record in
                [
                    record.kind.rawValue, record.id, format(record), record.codec, rate(record.averageRate),
                    rate(record.peakRate), cell(index),
                ]
            })
    }

    /// A table of planned renditions.
    static func renditions(of plan: Plan) -> String {
        table(
            ["kind", "rendition", "format", "codec", "rate", "wave"],
            plan.published.map { rendition in
                switch rendition {
                case let rendition as PlannedRung:
                    let rung = rendition.rung
                    let depth = rung.bitDepth == 8 ? "" : ", \(rung.bitDepth) bits"
                    return [
                        rung.kind.rawValue, rung.id, rung.size.description + dynamicRange(rung.dynamicRange) + depth,
                        rung.isCopy ? "copied" : rung.codec.rawValue, "at most \(rate(rung.maxRate))",
                        String(rung.wave),
                    ]
                case let track as AudioPlan:
                    let role = track.role.flatMap { $0 == .main ? nil : $0.rawValue }
                    return [
                        track.kind.rawValue, track.id,
                        ([track.language, layout(track.channels)]
                            + [role, "stream \(track.streamIndex)"]
                            .compactMap(\.self)).joined(separator: ", "),
                        track.codec.rawValue, rate(track.bitRate), "0",
                    ]
                case let track as TextPlan:
                    let source =
                        switch track.source {
                        case .stream(let index): "stream \(index)"
                        case .captions(let stream, let service): "\(service.name) in stream \(stream)"
                        case .file(let name, _): printable(name)
                        }
                    let role = track.role.flatMap { $0 == .main ? nil : $0.rawValue }
                    return [
                        track.kind.rawValue, track.id,
                        ([track.language] + [role, source].compactMap(\.self)).joined(separator: ", "), "WebVTT", "-",
                        "0",
                    ]
                case let track as TextPlan:
                    let role = track.role.flatMap { $0 == .main ? nil : $0.rawValue }
                    return [
                        track.kind.rawValue, track.id,
                        [track.language, role].compactMap(\.self).joined(separator: ", "),
                        "wvtt", "-", "0",
                    ]
                case let images as ImagePlan:
                    return [images.kind.rawValue, images.id, images.sheetSize.description, "jpeg", "-", "0"]
                default: return [rendition.kind.rawValue, rendition.id, "-", "-", "-", "0"]
                }
            })
    }

    /// Such as `1920x1080 HDR10`, or `eng, 5.1, commentary, -23.0 LUFS`.
    static func format(_ record: RenditionRecord) -> String {
        var parts: [String] = []
        if let size = record.size { parts.append(size.description + dynamicRange(record.dynamicRange)) }
        if let language = record.language { parts.append(language) }
        if let channels = record.channels { parts.append(layout(channels)) }
        if let role = record.role, role != .main { parts.append(role.rawValue) }
        if let loudness = record.loudness, let integrated = loudness.integrated {
            parts.append(String(format: "%.1f LUFS", integrated + (loudness.gain ?? 0)))
        }
        return parts.isEmpty ? "-" : parts.joined(separator: ", ")
    }

    /// `mono`, `stereo`, `5.1` or `8 channels`.
    static func layout(_ channels: Int) -> String {
        switch channels {
        case 1: "mono"
        case 2: "stereo"
        case 6: "5.1"
        default: "\(channels) channels"
        }
    }

    /// After a size: ` HDR10`, or nothing for SDR.
    static func dynamicRange(_ range: DynamicRange?) -> String {
        switch range {
        case .sdr, nil: ""
        case .hdr10: " HDR10"
        case .hlg: " HLG"
        }
    }
}
