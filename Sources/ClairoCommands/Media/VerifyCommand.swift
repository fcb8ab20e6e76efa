internal import ArgumentParser
internal import ClairoCore
internal import ClairoStorage
internal import Foundation

/// `clairo verify`: checks a finished output as a player would read it.
struct VerifyCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check a finished output as a player would read it.",
        discussion: """
            Decodes every rendition completely, and compares frames, times, boundaries, rates, codecs and checksums with \
            the playlists, the manifest and clairo.json. Exits with 65 if anything is wrong.

              clairo verify holiday
              clairo verify holiday --json
              clairo verify film --key-file keys.txt
            """)

    @Argument(help: "Output folder, or s3://BUCKET/PREFIX.", completion: .directory)
    var folder: String

    @OptionGroup var keyFileOption: KeyFileOption

    @Flag(help: "Print every check as JSON.")
    var json = false

    @OptionGroup var sandboxOptions: SandboxOptions

    /// Checks that the folder exists, because the verifier cannot distinguish a missing folder from an empty one.
    private func checkFolder() throws(ClairoError) {
        if StoreURL.isS3(folder) { return }
        guard SystemFile.exists(folder) else {
            throw .noInput("The folder \(folder) does not exist", advice: "Check the name.")
        }
        guard SystemFile.isFolder(folder) else {
            throw .noInput("\(folder) is not a folder", advice: "Give the folder that clairo transcode wrote.")
        }
    }

    /// The output as players see it after decryption.
    /// - Throws: `usage` if it is encrypted and there are no keys, `configuration` if they are not its keys.
    private func clear(_ store: any ObjectStore, keys: KeySet?) throws(ClairoError) -> any ObjectStore {
        guard try store.size(of: OutputLayout.manifest) != nil,
            let manifest = try? JSONDecoder().decode(OutputManifest.self, from: store.get(OutputLayout.manifest)),
            let protection = manifest.plan.protection
        else { return store }
        guard let keys else {
            throw .usage(
                "\(folder) is encrypted", advice: "Give --key-file FILE; clairo key prints the keys of a video.")
        }
        try keys.check(protection, of: folder)
        return EncryptingStore(store, protection, keys: keys)
    }

    func run(_ environment: CommandEnvironment) async throws {
        let stop = StopRequest()
        try checkFolder()
        let stored = try Stores(environment, stop: stop).output(folder)
        let keys = try keyFileOption.keys()
        let result = try await Signals.stopping(stop) {
            let store = try await onDedicatedThread(name: "verify") { () throws(ClairoError) in
                try clear(stored, keys: keys)
            }
            return try await CommandTask(sandbox: sandboxOptions.sandbox).run(
                .verify, output: store, stop: stop, log: environment.warn)
        }
        guard let report = result.verification else {
            throw ClairoError.defect("Verifying \(folder) gave no result")
        }
        if json {
            environment.output(String(decoding: try JSON.encode(report), as: UTF8.self) + "\n")
        } else if report.passed {
            environment.output("\(folder): \(report.checks.count) checks passed\n")
        } else {
            for problem in report.problems {
                environment.output("\(problem.name)  \(problem.subject): \(problem.detail)\n")
            }
        }
        guard report.passed else {
            let count = report.problems.count
            let failure = ClairoError.badMedia(
                "\(folder) is not valid: \(count) of \(report.checks.count) checks failed",
                advice: "Make it again with clairo transcode --force.")
            environment.error("clairo: \(failure)\n")
            throw ExitCode(failure.exitCode.rawValue)
        }
    }
}
