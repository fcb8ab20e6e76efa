internal import ClairoCore

/// The WebVTT file of a storyboard. The text of each cue is a sheet and the rectangle of a tile in it, as a media
/// fragment (https://www.w3.org/TR/media-frags/#naming-space), which the preview plug-ins of web players read.
enum StoryboardTrack {
    /// A cue.
    struct Cue: Equatable {
        /// Milliseconds.
        var start: Int64
        var end: Int64
        /// The name of the sheet, relative to the file.
        var sheet: String
        /// Left, top, width and height in pixels.
        var rectangle: [Int]
    }

    /// The cues of a storyboard, one for each tile.
    static func cues(of plan: ImagePlan) -> [Cue] {
        (0..<plan.tileCount).map { tile in
            func time(_ index: Int) -> Int64 { (plan.start(ofTile: index) * Rational(1000)).rounded }
            let position = plan.position(ofTile: tile)
            return Cue(
                start: time(tile), end: time(tile + 1),
                sheet: OutputLayout.fileName(of: plan.segmentKey(tile / plan.tilesPerSheet)),
                rectangle: [position.x, position.y, plan.tile.width, plan.tile.height])
        }
    }

    /// The whole file.
    static func text(of plan: ImagePlan) -> String {
        let cues = cues(of: plan).map { cue in
            "\n\(time(cue.start)) --> \(time(cue.end))\n\(cue.sheet)#xywh="
                + cue.rectangle.map(String.init).joined(separator: ",") + "\n"
        }
        return "WEBVTT\n" + cues.joined()
    }

    /// Reads a file as a player would; nil if it has anything but such cues.
    static func parse(_ text: String) -> [Cue]? {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: true)[...]
        guard lines.popFirst() == "WEBVTT" else { return nil }
        var cues: [Cue] = []
        while let timing = lines.popFirst() {
            let times = timing.split(separator: " --> ").map(milliseconds)
            let parts = lines.popFirst()?.split(separator: "#xywh=") ?? []
            let rectangle = parts.last?.split(separator: ",").compactMap { Int($0) } ?? []
            guard times.count == 2, let start = times[0], let end = times[1], parts.count == 2, rectangle.count == 4
            else { return nil }
            cues.append(Cue(start: start, end: end, sheet: String(parts[0]), rectangle: rectangle))
        }
        return cues
    }

    /// `01:02:03.004`, with more digits for more hours.
    private static func time(_ milliseconds: Int64) -> String {
        func digits(_ value: Int64, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let seconds = milliseconds / 1000
        return "\(digits(seconds / 3600, 2)):\(digits(seconds / 60 % 60, 2)):\(digits(seconds % 60, 2))"
            + ".\(digits(milliseconds % 1000, 3))"
    }

    private static func milliseconds(_ text: Substring) -> Int64? {
        let parts = text.split(omittingEmptySubsequences: false) { $0 == ":" || $0 == "." }.map {
            StrictNumber.integer($0)
        }
        guard parts.count == 4, let hours = parts[0], let minutes = parts[1], let seconds = parts[2],
            let rest = parts[3], hours < 100_000, minutes < 60, seconds < 60, rest < 1000
        else { return nil }
        return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest
    }
}
