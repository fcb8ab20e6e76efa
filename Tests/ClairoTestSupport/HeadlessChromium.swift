public import Foundation
internal import Glibc

/// Debian's Chromium without a window. It plays HLS natively.
public enum HeadlessChromium {
    /// How Chromium draws.
    public enum Graphics: Sendable {
        /// Without a GPU. BT.709 becomes RGB with coefficients of few bits: saturated colours are off by up to 12.
        case software
        /// As with a GPU, which SwiftShader emulates.
        case emulated
    }

    public struct Visit: Sendable {
        /// What the page sent with POST.
        public var report: Data
        /// The browser's requests, such as `GET /master.m3u8`.
        public var requests: [String]
    }

    public struct Stopped: Error, CustomStringConvertible {
        public var messages: String
        public var description: String { "Chromium ended before the page reported: \(messages.suffix(2000))" }
    }

    /// The program, if it is installed.
    public static let program = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    /// Opens a page beside the files of a folder, and waits until it sends a POST.
    /// - Parameters:
    ///   - page: HTML.
    ///   - folder: The folder that is served at `/`.
    ///   - scratch: Where the browser keeps its profile.
    public static func visit(
        _ page: String, servedWith folder: String, scratch: Scratch, graphics: Graphics = .software
    ) async throws -> Visit {
        guard let program else { throw Stopped(messages: "it is not installed") }
        let server = try LocalServer(folder: folder, pages: ["/player.html": page])
        defer { server.stop() }
        var arguments = [
            "--headless=new", "--mute-audio", "--no-first-run", "--disable-extensions",
            "--disable-background-networking", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required",
            "--user-data-dir=\(scratch.path("profile-\(UUID().uuidString)"))",
        ]
        switch graphics {
        case .software: arguments.append("--disable-gpu")
        case .emulated: arguments += ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        }
        if getuid() == 0 { arguments.append("--no-sandbox") }
        let chromium = try ChildProcess(program, arguments + ["http://127.0.0.1:\(server.port)/player.html"])
        let report = try await withThrowingTaskGroup(of: Data.self) { group in
            group.addTask { await server.nextPost() }
            group.addTask {
                // Returns before the page reports only if Chromium ends or exceeds its deadline.
                let outcome = try await chromium.outcome()
                throw Stopped(messages: outcome.errors)
            }
            defer { chromium.send(SIGKILL) }
            let post = try await group.next()
            chromium.send(SIGTERM)
            return post ?? Data()
        }
        return Visit(report: report, requests: server.requests)
    }
}
