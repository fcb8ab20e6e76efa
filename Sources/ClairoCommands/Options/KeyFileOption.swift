internal import ArgumentParser
internal import ClairoCore

/// The file with the keys of an encrypted output.
struct KeyFileOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Keys of an encrypted output: lines of KID:KEY in hexadecimal, each for all tracks, or after video, audio or a folder such as video/1080p for these. Only this process reads it.",
            valueName: "file"),
        completion: .file())
    var keyFile: String?

    /// The keys of the file; nil without one.
    func keys() throws(ClairoError) -> KeySet? {
        guard let keyFile else { return nil }
        return try KeySet(file: keyFile)
    }
}
