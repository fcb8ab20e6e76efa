internal import ArgumentParser
internal import ClairoCore

/// The address and access control of `serve`.
struct ListenOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Address to listen on (default: 127.0.0.1:8080).", valueName: "host:port"))
    var listen: String?

    @Option(help: ArgumentHelp("Require one of the tokens in this file.", valueName: "file"), completion: .file())
    var tokenFile: String?

    @Option(
        help: ArgumentHelp(
            "URL that clients use, if a proxy in front changes scheme, host or path, such as https://example.org/media. Answers then name resources by it.",
            valueName: "url"))
    var publicUrl: String?

    @Option(
        help: ArgumentHelp(
            "Origins whose web pages may use the API with scripts (CORS): * for all, or a comma-separated list such as https://app.example,http://localhost:5173 (default: none).",
            valueName: "origins"))
    var allowOrigin: String?

    /// The values of these options by setting.
    var flags: [(Settings.Key, String?)] {
        [(.listen, listen), (.tokenFile, tokenFile), (.publicURL, publicUrl), (.allowOrigin, allowOrigin)]
    }
}
