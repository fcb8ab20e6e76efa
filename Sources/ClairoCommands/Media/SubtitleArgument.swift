internal import ClairoCore
internal import Foundation

/// The files of `--subtitle FILE[:LANG[:ROLE]]`.
enum SubtitleArgument {
    /// - Throws: `usage` for too many or too large files, or a language or role that is none; `noInput` if a file cannot
    ///   be read.
    static func read(_ arguments: [String]) throws(ClairoError) -> [SubtitleFile] {
        guard arguments.count <= SubtitleFile.most else {
            throw .usage("--subtitle is given \(arguments.count) times", advice: "Give at most \(SubtitleFile.most).")
        }
        var files: [SubtitleFile] = []
        for argument in arguments { files.append(try read(argument)) }
        return files
    }

    private static func read(_ argument: String) throws(ClairoError) -> SubtitleFile {
        let (path, language, role) = try parts(of: argument, exists: SystemFile.exists)
        guard let content = SystemFile.contents(path, limit: SubtitleFile.largest + 1) else {
            let reason = String(cString: strerror(errno))
            throw .noInput("The subtitles \(SystemText.repaired(path)) cannot be read: \(reason)")
        }
        guard content.count <= SubtitleFile.largest else {
            throw .usage(
                "The subtitles \(SystemText.repaired(path)) are larger than \(SubtitleFile.largest >> 20) MiB",
                advice: "Give a file with text.")
        }
        return SubtitleFile(
            name: SystemText.repaired((path as NSString).lastPathComponent), content: content, language: language,
            role: role)
    }

    /// Splits an argument. A file whose own name has colons is found if it exists.
    static func parts(
        of argument: String, exists: (String) -> Bool
    ) throws(ClairoError) -> (path: String, language: String?, role: TrackRole?) {
        if exists(argument) { return (argument, nil, nil) }
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        if parts.count > 1, exists(parts.dropLast().joined(separator: ":")) {
            return (parts.dropLast().joined(separator: ":"), try language(parts[parts.count - 1], argument), nil)
        }
        guard parts.count > 2 else {
            return (parts[0], try parts.count > 1 ? language(parts[1], argument) : nil, nil)
        }
        return (
            parts.dropLast(2).joined(separator: ":"), try language(parts[parts.count - 2], argument),
            try role(parts[parts.count - 1], argument)
        )
    }

    /// A tag of BCP 47 with a language and perhaps a script or a region: `eng`, `pt-BR`, `zh-Hans`.
    private static func language(_ text: String, _ argument: String) throws(ClairoError) -> String {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let isTag =
            (2...3).contains(parts[0].utf8.count) && parts[0].utf8.allSatisfy(isLetter) && parts.count <= 3
            && parts.allSatisfy { (2...8).contains($0.utf8.count) && $0.utf8.allSatisfy(isLetterOrDigit) }
        guard isTag else {
            throw .usage(
                text.isEmpty
                    ? "--subtitle \(SystemText.repaired(argument)) has no language"
                    : "--subtitle \(SystemText.repaired(argument)): \(SystemText.repaired(text)) is not a language",
                advice: "Give FILE:LANG:ROLE with a code such as eng or pt-BR.")
        }
        return text
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) || isLetter(byte) }

    private static func role(_ text: String, _ argument: String) throws(ClairoError) -> TrackRole? {
        switch text.lowercased() {
        case "", "main": return nil
        case "sdh", "captions": return .captions
        case "commentary": return .commentary
        case "forced": return .forced
        default:
            throw .usage(
                "--subtitle \(SystemText.repaired(argument)): \(SystemText.repaired(text)) is not a role",
                advice: "Give main, captions, commentary or forced.")
        }
    }
}
