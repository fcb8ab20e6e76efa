internal import ArgumentParser
internal import ClairoExecutors

/// Whether an interactive command decodes in a sandboxed child process or in its own process.
struct SandboxOptions: ParsableArguments {
    @Option(
        help:
            "Kernel sandbox around the process that reads the media (see clairo doctor): auto uses what this system has and warns about the rest, require refuses to start if anything is missing, off reads the media in this process."
    )
    var sandbox: SandboxMode = .auto
}

/// The sandbox around the child process that probes sources.
struct IntakeSandboxOptions: ParsableArguments {
    @Option(
        help:
            "Kernel sandbox around the process that probes a source (see clairo doctor): auto uses what this system has and warns about the rest, require refuses to start if anything is missing, off uses none."
    )
    var sandbox: SandboxMode = .auto
}
