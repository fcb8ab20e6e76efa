internal import ClairoCore
public import Foundation

/// Decides what may be done with the place an output goes to: new, to be continued, to be started over, or not ours.
struct OutputFolder {
    let store: any ObjectStore

    /// Everything that Clairo ever writes into an output; nothing else is ever removed.
    private static let ownKeys = ["clairo.json", "master.m3u8", "manifest.mpd", "poster.jpg"]
    private static let ownFolders = ["video/", "audio/", "subtitles/", "mp4/"]

    /// Leaves the place ready for `manifest`, whose `running` state is on the store afterwards.
    func prepare(for manifest: OutputManifest, force: Bool, say: (String) -> Void) throws {
        switch try existing() {
        case .nothing: break
        case .foreign(let example):
            guard force else {
                throw ClairoError.cannotCreate(
                    "The output folder holds other files (\(example)) and no clairo.json",
                    advice: "Choose another folder with -o, or give --force to write into this one.")
            }
            try removeOwn()
        case .unreadable:
            guard force else {
                throw ClairoError.cannotCreate(
                    "The output folder's clairo.json cannot be read",
                    advice: "Give --force to start over, or choose another folder with -o.")
            }
            try removeOwn()
        case .manifest(let old):
            if try isComplete(old) {
                guard force else {
                    throw ClairoError.cannotCreate(
                        old.planID == manifest.planID
                            ? "The output is there already and complete"
                            : "The output folder holds a complete output of another job (\(old.plan.source.name))",
                        advice: "Give --force to replace it, or choose another folder with -o.")
                }
                try removeOwn()
            } else if old.planID != manifest.planID {
                say("Starting over: \(difference(old, manifest)).")
                try removeOwn()
            } else if force {
                try removeOwn()
            }
        }
        try store.put(try JSON.encode(manifest), at: OutputManifest.key)
    }

    private enum Existing {
        case nothing
        case foreign(example: String)
        case unreadable
        case manifest(OutputManifest)
    }

    private func existing() throws -> Existing {
        if try store.size(of: OutputManifest.key) != nil {
            let data = try store.get(OutputManifest.key)
            guard let manifest = try? JSONDecoder().decode(OutputManifest.self, from: data) else { return .unreadable }
            return .manifest(manifest)
        }
        let keys = try store.list(prefix: "")
        guard let example = keys.first else { return .nothing }
        return .foreign(example: example.rawValue)
    }

    /// Whether the commit point was reached: everything it names is there.
    private func isComplete(_ manifest: OutputManifest) throws -> Bool {
        guard manifest.state == .complete else { return false }
        return try manifest.files.allSatisfy { try store.size(of: ObjectKey($0.key)) == $0.bytes }
    }

    /// The master playlist goes first, so that no player finds one that points at nothing.
    private func removeOwn() throws {
        try store.delete(Packager.masterKey)
        for folder in Self.ownFolders {
            for key in try store.list(prefix: folder) { try store.delete(key) }
        }
        for key in Self.ownKeys { try store.delete(ObjectKey(key)) }
    }

    /// What changed since the run that is being given up, in words.
    private func difference(_ old: OutputManifest, _ new: OutputManifest) -> String {
        if old.plan.source.sha256 != new.plan.source.sha256 { return "the source has changed" }
        if old.generator != new.generator { return "it was begun by \(old.generator)" }
        let (a, b) = (old.plan.settings, new.plan.settings)
        var changes: [String] = []
        func compare<T: Equatable>(_ name: String, _ path: KeyPath<TranscodeSettings, T>) {
            if a[keyPath: path] != b[keyPath: path] { changes.append(name) }
        }
        compare("--format", \.formats)
        compare("--heights", \.heights)
        compare("--quality", \.quality)
        compare("--preset", \.preset)
        compare("--segment-seconds", \.segmentSeconds)
        compare("--chunk-cpu-seconds", \.chunkCPUSeconds)
        compare("--start", \.start)
        compare("--duration", \.duration)
        compare("--copy-compatible", \.copyCompatible)
        compare("--allow-partial", \.allowPartial)
        return changes.isEmpty
            ? "the plan has changed" : "\(changes.joined(separator: ", ")) changed since the last run"
    }
}

/// JSON as all our files and `--json` have it: sorted keys, so that the same value gives the same text.
public enum JSON {
    public static func encode(_ value: some Encodable, pretty: Bool = true) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            pretty ? [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }
}
