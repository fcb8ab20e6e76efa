public import ClairoCore
internal import Foundation
internal import Libav

/// Checks a finished output against `clairo.json` as a player would read it: from the master playlist down, with an
/// independent demuxer and decoder.
///
/// Each check records what was found, so that the report of a good output is informative too.
public struct Verifier {
    let store: any ObjectStore
    let control: JobControl
    /// Objects that a job is about to publish and that are not on the store yet.
    private let pending: [ObjectKey: Data]
    /// The measurements of segments that were already compared with their records. The verifier then neither reads nor
    /// decodes the segments. Nil if the verifier must check them.
    let measured: Presentation?
    /// Where the init segments and segments of the plan are if they are not files of their own.
    var places: [ObjectKey: Place] = [:]
    /// What is known about the source.
    let comparison: SourceComparison

    /// Declared and measured rates may differ by this much (Apple's HLS authoring rules 1.26 and 1.27).
    static let rateTolerance = 0.1

    /// Checks the output in `store`.
    /// - Parameter control: Receives progress and can cancel the verification.
    public init(store: any ObjectStore, control: JobControl = JobControl()) {
        self.init(store: store, pending: [:], measured: nil, comparison: .planned, control: control)
    }

    init(
        store: any ObjectStore, pending: [ObjectKey: Data], measured: Presentation?, comparison: SourceComparison,
        control: JobControl
    ) {
        self.comparison = comparison
        self.store = store
        self.pending = pending
        self.measured = measured
        self.control = control
    }

    /// Runs all checks. Problems of the output are in the report.
    /// - Throws: Only if the output cannot be checked: `noInput` (66) if there is none, or cancellation.
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
            guard manifest.plan.publishesSingleFiles else { return try check(manifest, &checks) }
            var verifier = self
            verifier.places = try readSingleFiles(manifest.plan, &checks)
            return try verifier.check(manifest, &checks)
        } catch let error as ClairoError {
            throw error
        } catch {
            throw .defect("Verification failed: \(error)")
        }
    }

    /// Checks everything but the files themselves.
    private func check(_ manifest: OutputManifest, _ checks: inout Checks) throws -> VerificationReport {
        let decoded =
            try measured.map(renditions) ?? decodeRenditions(manifest, &checks)
        try checkOffsets(manifest, decoded, &checks)
        checkLevels(manifest, decoded, &checks)
        // Otherwise the packager has just compared them.
        if measured == nil { try checkText(manifest, &checks) }
        compareWithSource(manifest, decoded, &checks)
        let formats = manifest.plan.settings.outputFormats
        if formats.contains(.hls) {
            try checkHLS(manifest, decoded, &checks)
            try checkKeys(manifest, &checks)
        }
        if formats.contains(.dash) { try checkDASH(manifest, decoded, &checks) }
        if formats.contains(.mp4) { try checkProgressive(manifest, &checks) }
        try checkImages(manifest, &checks)
        return checks.report
    }

    func bytes(of key: ObjectKey) throws(ClairoError) -> Data? {
        if let data = pending[key] { return data }
        if let place = places[key] { return try bytes(of: place) }
        guard try store.size(of: key) != nil else { return nil }
        return try store.get(key)
    }

    /// The size of a segment as it is stored; 0 if it is missing.
    func storedBytes(of key: ObjectKey) throws(ClairoError) -> Int {
        if let range = places[key]?.range { return range.count }
        return Int(try store.size(of: key) ?? 0)
    }

    /// The plain form of an init segment, which describes the decrypted samples.
    func initSegment(of key: ObjectKey) throws(ClairoError) -> Data? {
        try bytes(of: key).map { (data) throws(ClairoError) in try ProtectedLayout.plainInitSegment(data) }
    }

    func exists(_ key: ObjectKey) throws(ClairoError) -> Bool {
        if pending[key] != nil || places[key] != nil { return true }
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

    /// Checks that every file exists with its recorded checksum and that the output folders hold no other files.
    private func checkFiles(_ manifest: OutputManifest, _ checks: inout Checks) throws {
        let plan = manifest.plan
        let segments = Set(plan.publishedKeys.map(\.rawValue))
        let singleFiles = Set(
            plan.publishesSingleFiles ? plan.renditions.filter(\.kind.hasInitSegment).map(\.singleFileKey) : [])
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
                // The checksum of a large file, made of segments, was computed while it was written.
                let isTrusted = measured != nil && (OutputLayout.isProgressive(key) || singleFiles.contains(key))
                if isTrusted {
                    found = (size, file.sha256)
                } else if plan.protection != nil, Protection.protectedFolder(of: key) != nil {
                    // It is recorded as it is stored, not as it is read.
                    let record = try store.record(of: key)
                    found = (record.bytes, record.sha256)
                } else {
                    found = (size, try Checksum.sha256(store.open(key), check: control.checkCancellation))
                }
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
        var known = Set(manifest.files.map(\.key))
        let unrecorded = segments.union(singleFiles.map(\.rawValue)).subtracting(known)
        checks.expect(
            unrecorded.isEmpty, "manifest", "clairo.json", "every planned segment is recorded",
            "planned but not recorded: \(unrecorded.sorted().prefix(3).joined(separator: ", "))")
        // With several workers, one that lost its claim may write at any time.
        guard measured == nil else { return }
        // A job removes segments that it does not publish when the output has passed.
        if !pending.isEmpty { known.formUnion(manifest.plan.segmentKeys.map(\.rawValue)) }
        let folders =
            manifest.plan.folders + (manifest.plan.images ?? []).map(\.folder) + [OutputLayout.progressiveFolder]
        let present = try folders.flatMap { try store.list(prefix: $0 + "/") }.map(\.rawValue)
        let unknown = present.filter { !known.contains($0) }
        checks.expect(
            unknown.isEmpty, "files", "folder", "no file that is not recorded",
            "not recorded: \(unknown.prefix(3).joined(separator: ", "))")
    }

    /// Whether a name is a relative path that stays within the folder.
    func isPlain(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        return !parts.isEmpty && !name.contains(":") && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }
}

/// Collects the checks.
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
