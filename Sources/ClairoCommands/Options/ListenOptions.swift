internal import ArgumentParser
internal import ClairoCore

/// The address and access control of `serve`.
struct ListenOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Address to listen on (default: 127.0.0.1:8080).", valueName: "host:port"))
    var listen: String?

    @Option(help: ArgumentHelp("Require one of the tokens in this file.", valueName: "file"), completion: .file())
    var tokenFile: String?

    /// The values of these options by setting.
    var flags: [(Settings.Key, String?)] { [(.listen, listen), (.tokenFile, tokenFile)] }
}
