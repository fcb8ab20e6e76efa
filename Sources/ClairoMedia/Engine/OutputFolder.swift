internal import ClairoCore
internal import Foundation

/// Decides how to treat the output folder: start, continue, start over, or refuse because it is not Clairo's.
struct OutputFolder {
    let store: any ObjectStore

    /// Prepares the folder for `manifest` and writes the manifest with state `running`. The warnings and the counts of a
    /// run that is continued are added to it, because what they are about is not decoded again.
    func prepare(for manifest: inout OutputManifest, force: Bool, log: (String) -> Void) throws {
        switch try existing() {
        case .nothing: break
        case .foreign(let example):
            guard force else {
                throw ClairoError.cannotCreate(
                    "The output folder holds other files (\(example)) and no clairo.json",
                    advice: "Choose another folder with -o, or give --force to write into this one.")
            }
            // Objects at the keys of this output are of unknown origin, perhaps not encrypted as this one is.
            try remove(manifest)
        case .unreadable:
            guard force else {
                throw ClairoError.cannotCreate(
                    "The output folder's clairo.json cannot be read",
                    advice: "Give --force to start over, or choose another folder with -o.")
            }
            try remove(manifest)
        case .manifest(let old):
            if try old.isComplete(in: store) {
                // Its job may have been killed before it removed them.
                if !old.plan.publishesSegments {
                    let published = Set(old.files.map(\.key))
                    try store.delete(old.plan.segmentKeys.filter { !published.contains($0.rawValue) })
                }
                guard force else {
                    throw ClairoError.cannotCreate(
                        old.planID == manifest.planID
                            ? "The output is there already and complete"
                            : "The output folder holds a complete output of another run (\(old.plan.source.name)): "
                                + difference(old, manifest),
                        advice: "Give --force to replace it, or choose another folder with -o.")
                }
                try remove(old)
            } else if old.planID != manifest.planID {
                log("Starting over: \(difference(old, manifest)).")
                try remove(old)
            } else if force {
                try remove(old)
            } else {
                manifest.warnings = (manifest.warnings + old.warnings).bounded()
                manifest.counts = old.counts
                manifest.continueMeasurements(of: old)
            }
        }
        try store.put(try JSON.encode(manifest), at: OutputLayout.manifest)
    }

    private enum Existing {
        case nothing
        case foreign(example: String)
        case unreadable
        case manifest(OutputManifest)
    }

    private func existing() throws -> Existing {
        if try store.size(of: OutputLayout.manifest) != nil {
            let data = try store.get(OutputLayout.manifest)
            guard let manifest = try? JSONDecoder().decode(OutputManifest.self, from: data) else { return .unreadable }
            return .manifest(manifest)
        }
        guard let example = try store.list(prefix: "", after: nil, limit: 1).first else { return .nothing }
        return .foreign(example: example.rawValue)
    }

    /// Removes the objects of an output of this plan and nothing else, because the folder may hold other files. The
    /// master playlist is removed first, so that no player finds one that refers to missing objects.
    private func remove(_ manifest: OutputManifest) throws {
        let plan = manifest.plan
        try store.delete(OutputLayout.masterPlaylist)
        var keys: [ObjectKey] = [OutputLayout.dashManifest, OutputLayout.poster, OutputLayout.posterWebP]
        keys += plan.segmentKeys
        keys += plan.renditions.flatMap(\.companionKeys)
        keys += (plan.images ?? []).flatMap(\.objectKeys)
        try store.delete(keys)
        try store.delete(OutputLayout.manifest)
    }

    /// Describes what changed since the earlier run.
    private func difference(_ old: OutputManifest, _ new: OutputManifest) -> String {
        if old.plan.source.identity != new.plan.source.identity { return "the source has changed" }
        if old.generator != new.generator { return "it was begun by \(old.generator)" }
        let changes = TranscodeSettings.differences(old.plan.settings, new.plan.settings).map { "--\($0.option)" }
        return changes.isEmpty
            ? "the plan has changed" : "\(changes.joined(separator: ", ")) changed since the last run"
    }
}
