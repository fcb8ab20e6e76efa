import ClairoTestSupport
import Foundation
import Testing

/// Builds the image of `Scripts/deploy/Dockerfile` with the program under test, and uses it.
@Suite(
    .mostlyWaits, .ownThreads, .tags(.long),
    .enabled(if: DockerDaemon.isPossible, "no Docker daemon of our own here: \(DockerDaemon.lacking ?? "") is lacking"),
    .enabled("debootstrap or a Debian mirror is lacking") { await BaseImage.isPossible() })
struct ImageTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    /// The root of the repository.
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    @Test func theImageRunsTheServerAndTasks() async throws {
        let daemon = try await DockerDaemon.shared
        try await BaseImage.make(on: daemon, in: scratch)
        let image = try await build(on: daemon)
        let version = try await ClairoProcess.run("--version").text.trimmingCharacters(in: .newlines)
        let isolation = [
            "--read-only", "--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
        ]
        let printed = try await daemon.docker(["run", "--rm"] + isolation + [image, "--version"])
        #expect(printed.text == version + "\n", "\(printed)")

        // The image's health check, run more often.
        let server = try await daemon.docker(
            ["run", "--detach", "--health-interval", "1s"] + isolation
                + [image, "serve", "--allow-anonymous"]
        ).text.trimmingCharacters(in: .newlines)
        try await eventually {
            try await daemon.docker("inspect", "--format", "{{.State.Health.Status}}", server) == "healthy"
        }
        try await daemon.docker("rm", "--force", "--volumes", server)

        let clip = try await Clip(seconds: 2).make()
        let outcome = try await ClairoProcess.run(
            "run", clip.path, "--executor", "docker", "--docker-image", image, "--docker-socket", daemon.url,
            environment: ["CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path])
        #expect(outcome.status == 0, "\(outcome)")
    }

    /// Builds the image with the built program, and adds Swift's libraries, which a release build contains.
    private func build(on daemon: DockerDaemon) async throws -> String {
        let context = scratch.path("context")
        let (program, libraries) = (context + "/program", context + "/libraries")
        let gathering = try await ChildProcess(
            "sh",
            [
                "-ec",
                """
                mkdir -p "$2" "$3"
                strip -o "$2/clairo" "$1"
                for library in $(ldd "$1" | grep -o '/[^ ]*/swift/linux/[^ ]*'); do
                    install -D "$library" "$3$library"
                done
                """, "gather", ClairoProcess.path, program, libraries,
            ]
        ).outcome()
        try #require(gathering.status == 0, "\(gathering)")
        let file = try scratch.write("FROM clairo-deployed\nCOPY libraries /\n", to: "Dockerfile")
        for (name, dockerfile, folder) in [
            ("clairo-deployed", Self.root + "/Scripts/deploy/Dockerfile", program), ("clairo-debug", file, context),
        ] {
            let built = try await daemon.docker(
                [
                    "build", "--quiet", "--network", "host", "--file", dockerfile, "--tag", name, "--build-arg",
                    "BINARY=given", "--build-arg", "DEBIAN=\(BaseImage.release)", folder,
                ], environment: ["DOCKER_BUILDKIT": "1"], deadline: .seconds(900))
            try #require(built.status == 0, "\(built)")
        }
        return "clairo-debug"
    }
}

/// A slim image of the Debian release that the program was built on, made from Debian's packages, because no registry
/// may be reachable.
private enum BaseImage {
    /// This machine's release, such as `bookworm`.
    static let release: String = {
        let lines = (try? String(contentsOfFile: "/etc/os-release", encoding: .utf8))?.split(separator: "\n") ?? []
        return lines.first { $0.hasPrefix("VERSION_CODENAME=") }.map { String($0.dropFirst(17)) } ?? "trixie"
    }()

    static func isPossible() async -> Bool {
        guard TestTools.path(of: "debootstrap") != nil, TestTools.path(of: "strip") != nil else { return false }
        let answer = try? await ChildProcess(
            "curl",
            ["-fsSo", "/dev/null", "--max-time", "20", "http://deb.debian.org/debian/dists/\(release)/InRelease"]
        ).outcome()
        return answer?.status == 0
    }

    static func make(on daemon: DockerDaemon, in scratch: Scratch) async throws {
        let folder = scratch.path("base")
        let made = try await ChildProcess(
            "sh",
            [
                "-ec", "debootstrap --variant=minbase $2 \"$1\" && tar -C \"$1\" -cf \"$1.tar\" .", "base", folder,
                release,
            ],
            deadline: .seconds(900)
        ).outcome()
        try #require(made.status == 0, "\(made)")
        try await daemon.docker("import", folder + ".tar", "debian:\(release)-slim")
    }
}
