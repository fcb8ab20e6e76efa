public import ClairoCore
internal import Foundation
internal import Libav

/// Checks a finished output as a player would meet it: from the master playlist down, through an independent demuxer and
/// decoder, against `clairo.json`.
///
/// Every check is recorded with what was found, so that the report of a good output can be read too.
public struct Verifier {
    let store: any ObjectStore
    let control: JobControl
    /// Objects that are not on the store yet: what a job is about to publish.
    private let pending: [ObjectKey: Data]
    /// Segments that were read, compared with their records and measured a moment ago; nil where this is left to us. They
    /// are not read again then, and nothing is decoded.
    let measured: Presentation?

    /// Declared and measured rates may differ by this much (Apple's HLS authoring rules 1.26 and 1.27).
    static let rateTolerance = 0.1

    /// Checks the output in `store`.
    /// - Parameter control: receives progress, and stops the verifier.
    public init(store: any ObjectStore, control: JobControl = JobControl()) {
        self.init(store: store, pending: [:], measured: nil, control: control)
    }

    init(store: any ObjectStore, pending: [ObjectKey: Data], measured: Presentation?, control: JobControl) {
        self.store = store
        self.pending = pending
        self.measured = measured
        self.control = control
    }

    /// - Throws: only where the output cannot be looked at at all: `noInput` (66) where there is none, or cancellation. What
    ///   is wrong with it is in the report.
    public func run() throws(ClairoError) -> VerificationReport {
        guard let manifest = try readManifest() else {
            throw .noInput("No finished output here: clairo.json is missing", advice: "Name an output folder.")
        }
        do {
            var checks = Checks()
            guard
                checks.expect(
                    manifest.state == .complete, "manifest", "clairo.json", "the job was finished",
                    "the job was not finished; run the same transcode again")
            else { return checks.report }
            try checkFiles(manifest, &checks)
            let decoded =
                try measured.map(renditions) ?? decodeRenditions(manifest, &checks)
            checkOffsets(manifest, decoded, &checks)
            if manifest.plan.settings.formats.contains(.hls) { try checkHLS(manifest, decoded, &checks) }
            if manifest.plan.settings.formats.contains(.dash) { try checkDASH(manifest, &checks) }
            if manifest.plan.settings.formats.contains(.mp4) { try checkProgressive(manifest, &checks) }
            return checks.report
        } catch let error as ClairoError {
            throw error
        } catch {
            throw .defect("Verification failed: \(error)")
        }
    }

    func bytes(of key: ObjectKey) throws(ClairoError) -> Data? {
        if let data = pending[key] { return data }
        guard try store.size(of: key) != nil else { return nil }
        return try store.get(key)
    }

    func exists(_ key: ObjectKey) throws(ClairoError) -> Bool {
        if pending[key] != nil { return true }
        return try store.size(of: key) != nil
    }

    private func readManifest() throws(ClairoError) -> OutputManifest? {
        guard let data = try bytes(of: OutputLayout.manifest) else { return nil }
        guard let manifest = try? JSONDecoder().decode(OutputManifest.self, from: data) else {
            throw .badMedia(
                "clairo.json cannot be read", advice: "Make the output again with clairo transcode --force.")
        }
        return manifest
    }

    // MARK: Files

    /// Every file is there with the checksum that was recorded, and nothing else is in the folders of the output.
    private func checkFiles(_ manifest: OutputManifest, _ checks: inout Checks) throws {
        let segments = Set(manifest.plan.segmentKeys.map(\.rawValue))
        for file in manifest.files where measured == nil || !segments.contains(file.key) {
            try control.checkCancellation()
            let key = ObjectKey(file.key)
            guard isPlain(file.key) else {
                checks.expect(false, "checksum", file.key, "", "its name leaves the folder")
                continue
            }
            let found: (bytes: Int64, sha256: String)?
            if let data = pending[key] {
                found = (Int64(data.count), Checksum.sha256(data))
            } else if let size = try store.size(of: key) {
                // A progressive file's checksum was taken of what was written; it is the one large file here.
                let isTrusted = measured != nil && OutputLayout.isProgressive(key)
                found = (
                    size,
                    isTrusted ? file.sha256 : try Checksum.sha256(store.open(key), check: control.checkCancellation)
                )
            } else {
                found = nil
            }
            guard let found else {
                checks.expect(false, "checksum", file.key, "", "the file is missing")
                continue
            }
            checks.expect(
                found.bytes == file.bytes && found.sha256 == file.sha256, "checksum", file.key,
                "\(found.bytes) bytes, SHA-256 as recorded",
                found.bytes == file.bytes
                    ? "its SHA-256 is not the recorded one" : "it has \(found.bytes) bytes instead of \(file.bytes)")
        }
        let known = Set(manifest.files.map(\.key))
        checks.expect(
            segments.isSubset(of: known), "manifest", "clairo.json", "every planned segment is recorded",
            "planned but not recorded: \(segments.subtracting(known).sorted().prefix(3).joined(separator: ", "))")
        // Where several workers write, one that was given up may do so at any time.
        guard measured == nil else { return }
        let folders = manifest.plan.renditions.map(\.folder) + [OutputLayout.progressiveFolder]
        let present = try folders.flatMap { try store.list(prefix: $0 + "/") }.map(\.rawValue)
        let unknown = present.filter { !known.contains($0) }
        checks.expect(
            unknown.isEmpty, "files", "folder", "no file that is not recorded",
            "not recorded: \(unknown.prefix(3).joined(separator: ", "))")
    }

    /// A relative path that stays where it is.
    func isPlain(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        return !parts.isEmpty && !name.contains(":") && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }
}

/// The checks so far.
struct Checks {
    private(set) var report = VerificationReport()

    /// Records a check and returns whether it passed.
    @discardableResult
    mutating func expect(
        _ condition: Bool, _ name: String, _ subject: String, _ found: String, _ problem: @autoclosure () -> String
    ) -> Bool {
        report.checks.append(
            VerificationReport.Check(
                name: name, subject: subject, passed: condition, detail: condition ? found : problem()))
        return condition
    }
}
