internal import ClairoCore

/// Selects the tracks to transcode, and says of every other one why it is not used. Pure functions.
///
/// Cover images, attachments and data streams such as time code are left out without a warning: nobody expects them in
/// a stream.
enum TrackSelection {
    /// The tracks to use.
    struct Choice: Hashable {
        /// The stream index of the video; nil if there is none.
        var video: Int?
        /// The stream indexes of the audio, the default track first. Of a pair, the left channel.
        var audio: [Int]
        /// Mono streams that become one stereo track: the index of the right channel by that of the left one.
        var pairs: [Int: Int] = [:]
        /// One for each track that is not used, and for each pair that was guessed.
        var warnings: [MediaWarning]

        /// The stream indexes of the audio, with both channels of pairs.
        var usedAudio: [Int] { audio.flatMap { left in [left] + [pairs[left]].compactMap { $0 } } }
    }

    /// Up to this many subtitle tracks get a warning each; more are summarised in one.
    private static let mostSubtitleWarnings = 8

    /// Selects the largest decodable video, the best main audio track of each language (with the one in surround sound if
    /// that is in stereo), and every commentary and description. In a file of several programmes, such as a broadcast
    /// multiplex, all are of the same one. Two mono tracks may be one stereo track (`MonoPair`).
    /// - Parameters:
    ///   - programs: The programmes that a stream belongs to, by stream index. Empty for most containers.
    ///   - withRoles: The streams that are marked as a commentary or the like. Their `role` names the usual ones.
    static func choose(
        video: [VideoStream], audio: [AudioStream], subtitles: [SubtitleStream], programs: [Int: [Int]],
        withRoles: Set<Int> = []
    ) -> Choice {
        let chosen = largest(video)
        let usable = audio.filter { $0.canDecode && $0.channels > 0 && $0.sampleRate > 0 && $0.end > $0.start }
        let anchor = chosen?.index ?? usable.max(by: isWorse)?.index
        let inside = usable.filter { isSameProgram(anchor, $0.index, programs) }
        // A stream that no programme lists may belong to any, but never replaces one of the same programme.
        let candidates = inside.isEmpty ? usable.filter { (programs[$0.index] ?? []).isEmpty } : inside
        let languages = Dictionary(grouping: candidates) { ISO639.code($0.language) }
        let best = languages.values.compactMap { tracks in mainTracks(tracks).max(by: isWorse) }
        let others = candidates.filter { track in track.role != nil && !best.contains { $0.index == track.index } }
        // Where the best track is in stereo because it is the default, its mix in surround sound is used too.
        let surround = best.filter { $0.role == nil && !$0.isSurround }.compactMap { track in
            mainTracks(languages[ISO639.code(track.language)] ?? [])
                .filter { $0.isSurround && !withRoles.contains($0.index) }.max(by: isWorse)
        }
        let sorted = (best + surround + others).sorted { order($0) < order($1) }

        var warnings: [MediaWarning] = []
        for stream in video where stream.index != chosen?.index && !stream.isAttachedPicture {
            let isOther =
                !(programs[stream.index] ?? []).isEmpty && !isSameProgram(chosen?.index, stream.index, programs)
            warnings.append(
                unused("video", stream.index, stream.codec, stream.language, reason(stream, chosen, isOther: isOther)))
        }
        // A commentary or a description is no channel of the film.
        let pairs = best.filter { !withRoles.contains($0.index) }.compactMap { track in
            MonoPair(
                track, among: (languages[ISO639.code(track.language)] ?? []).filter { !withRoles.contains($0.index) })
        }
        var choice = Choice(
            video: chosen?.index,
            audio: sorted.map { track in pairs.first { $0.contains(track) }?.left.index ?? track.index },
            pairs: Dictionary(uniqueKeysWithValues: pairs.map { ($0.left.index, $0.right.index) }), warnings: [])
        for stream in audio where !choice.usedAudio.contains(stream.index) {
            let isOther = !candidates.contains { $0.index == stream.index }
            let used = best.first { ISO639.code($0.language) == ISO639.code(stream.language) }
            warnings.append(warning(stream, used: used, isOtherProgram: isOther))
        }
        choice.warnings = warnings + pairs.compactMap(\.warning) + subtitleWarnings(subtitles)
        return choice
    }

    private static func largest(_ streams: [VideoStream]) -> VideoStream? {
        streams.filter { !$0.isAttachedPicture && $0.canDecode && $0.frameCount > 0 && $0.codedSize.pixels > 0 }
            .max {
                ($0.frameCount > 1 ? 1 : 0, $0.codedSize.pixels, $0.frameCount, -$0.index)
                    < ($1.frameCount > 1 ? 1 : 0, $1.codedSize.pixels, $1.frameCount, -$1.index)
            }
    }

    /// The main tracks come first, and of those the default one.
    private static func order(_ track: AudioStream) -> (Int, Int, Int) {
        (track.role == nil ? 0 : 1, track.isDefault ? 0 : 1, track.index)
    }

    /// The tracks of a language without a role, or all if each has one.
    private static func mainTracks(_ tracks: [AudioStream]) -> [AudioStream] {
        let main = tracks.filter { $0.role == nil }
        return main.isEmpty ? tracks : main
    }

    private static func isWorse(_ first: AudioStream, than second: AudioStream) -> Bool {
        (first.isDefault ? 1 : 0, first.channels, first.bitRate, -first.index)
            < (second.isDefault ? 1 : 0, second.channels, second.bitRate, -second.index)
    }

    /// Whether a stream is of a programme of another stream. True if that one belongs to none.
    private static func isSameProgram(_ anchor: Int?, _ index: Int, _ programs: [Int: [Int]]) -> Bool {
        guard let anchor, let wanted = programs[anchor], !wanted.isEmpty else { return true }
        return !Set(wanted).isDisjoint(with: programs[index] ?? [])
    }

    private static func reason(_ stream: VideoStream, _ chosen: VideoStream?, isOther: Bool) -> String {
        if stream.frameCount == 0 { return "it contains no frames" }
        if !stream.canDecode { return "Clairo does not decode its codec" }
        if stream.codedSize.pixels <= 0 { return "the size of its frames is unknown" }
        guard let chosen else { return "it contains no usable frames" }
        if isOther { return "it belongs to another programme than video stream \(chosen.index)" }
        return "an output has one video, and stream \(chosen.index) is larger or comes first"
    }

    /// - Parameter used: The track of the same language that is used; nil if there is none.
    private static func warning(_ stream: AudioStream, used: AudioStream?, isOtherProgram: Bool) -> MediaWarning {
        func because(_ reason: String, advice: String? = nil) -> MediaWarning {
            unused("audio", stream.index, stream.codec, stream.language, reason, advice: advice)
        }
        if stream.end <= stream.start { return because("it contains no samples") }
        if !stream.canDecode {
            return because(
                "Clairo does not decode its codec",
                advice: "Convert this track to AAC or PCM before the upload if it is needed.")
        }
        if stream.channels <= 0 || stream.sampleRate <= 0 {
            return because("its channels or its sample rate are unknown")
        }
        guard !isOtherProgram, let used else {
            return because("it is not of the same programme as the tracks that are used")
        }
        if MonoPair.areAlike(stream, used) {
            return because(
                "it and stream \(used.index) are mono tracks of the same length, perhaps of one recording",
                advice: "If they are left and right, join them into one stereo track before the upload.")
        }
        let language = ISO639.code(stream.language)
        return because(
            language == "und"
                ? "stream \(used.index) has no language either, and one main track of each language is used"
                : "stream \(used.index) has the same language, and one main track of each language is used",
            advice: "Give each track its own language, or mark it as a commentary or description, if both are needed.")
    }

    /// Says of each subtitle stream that is not used why. Streams of captions are looked at later.
    private static func subtitleWarnings(_ streams: [SubtitleStream]) -> [MediaWarning] {
        let unused = streams.filter { !($0.isUsed ?? false) && $0.codec != "eia_608" }
        guard unused.count > mostSubtitleWarnings else { return unused.map(warning) }
        let names = unused.prefix(100).map { "\($0.index) (\(details($0.codec, $0.language)))" }
        let rest = unused.count > names.count ? " and \(unused.count - names.count) more" : ""
        return [
            MediaWarning(
                .trackUnused,
                "\(unused.count) subtitle streams are not used, because they are pictures, empty, or of an unknown "
                    + "codec: " + names.joined(separator: ", ") + rest, advice: textAdvice)
        ]
    }

    private static let textAdvice = "Give the text with --subtitle if it is needed."

    private static func warning(_ stream: SubtitleStream) -> MediaWarning {
        func because(_ reason: String, advice: String? = textAdvice) -> MediaWarning {
            unused("subtitle", stream.index, stream.codec, stream.language, reason, advice: advice)
        }
        if TextFormat.pictures.contains(stream.codec) { return because("its text is pictures") }
        if TextFormat.names.contains(stream.codec) { return because("it contains no text", advice: nil) }
        return because("Clairo does not read its codec")
    }

    private static func unused(
        _ kind: String, _ index: Int, _ codec: String, _ language: String?, _ reason: String, advice: String? = nil
    ) -> MediaWarning {
        MediaWarning(
            .trackUnused, "\(kind) stream \(index) (\(details(codec, language))) is not used: \(reason)",
            advice: advice)
    }

    /// The codec and, if it is known, the language.
    private static func details(_ codec: String, _ language: String?) -> String {
        let code = ISO639.code(language)
        return code == "und" ? codec : "\(codec), \(code)"
    }
}
