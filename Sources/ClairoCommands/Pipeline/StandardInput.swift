internal import ClairoCore
internal import ClairoPipeline
internal import Foundation
internal import Glibc

/// Uploads standard input. It can be read only once, so it is probed in the store, and removed from there if it is not
/// a video.
enum StandardInput {
    /// Its length is unknown. The parts, of which a few are in memory, have 32 MiB up to 62 GiB, and grow afterwards.
    private static let largestLength = PartSizes.longestObject

    static func upload(
        _ registration: UploadRegistration, options: UploadOptions, stop: StopRequest
    ) async throws -> FileUpload.Outcome {
        guard isatty(STDIN_FILENO) == 0 else {
            throw ClairoError.usage("Standard input is the terminal", advice: "Give a file, or pipe one in.")
        }
        let request = try options.request(name: "standard input")
        var upload = try await StreamUpload(
            registration, request: request, fingerprint: "stdin-\(UUID().uuidString)", largestLength: nil)
        do {
            while let data = try await onDedicatedThread(name: "stdin", { try read(stop) }) {
                guard upload.bytes + Int64(data.count) <= largestLength else {
                    throw ClairoError.usage(
                        "Standard input is longer than \(Render.bytes(largestLength))",
                        advice: "Write it to a file and upload that.")
                }
                var rest = data[...]
                while !rest.isEmpty {
                    let count = rest.withUnsafeBytes { upload.take($0) }
                    rest = rest.dropFirst(count)
                    if upload.isPartFull { try await upload.sendPart() }
                }
            }
            let bytes = upload.bytes
            guard bytes > 0 else { throw ClairoError.badMedia("Standard input is empty") }
            let video = try await upload.finish(request: request)
            let twin = try await registration.metadata.video(sha256: video.sha256)
            return FileUpload.Outcome(
                video: video, sentBytes: bytes, sameContent: twin?.id == video.id ? nil : twin)
        } catch {
            try? await upload.abandon()
            throw error
        }
    }

    /// Reads up to 1 MiB; nil at the end.
    private static func read(_ stop: StopRequest) throws(ClairoError) -> Data? {
        var data = Data(count: 1 << 20)
        while true {
            // A stop request must not wait for an idle writer.
            var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            let ready = poll(&descriptor, 1, 100)
            try stop.check()
            if ready == 0 || (ready < 0 && errno == EINTR) { continue }
            let count = data.withUnsafeMutableBytes { Glibc.read(STDIN_FILENO, $0.baseAddress, $0.count) }
            if count > 0 { return data.prefix(count) }
            if count == 0 { return nil }
            if errno != EINTR { throw .inputOutput("Reading standard input: \(String(cString: strerror(errno)))") }
        }
    }
}
