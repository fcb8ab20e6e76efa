internal import ClairoCore
internal import Foundation

extension Verifier {
    /// Checks that playlists name exactly the keys of the plan, where they begin to apply.
    func checkKeys(_ manifest: OutputManifest, _ checks: inout Checks) throws {
        let protection = manifest.plan.protection
        let playlists = manifest.files.map { ObjectKey($0.key) }.filter { $0.rawValue.hasSuffix(".m3u8") }
        for key in Set(playlists + [OutputLayout.masterPlaylist]).sorted() {
            guard let data = try bytes(of: key) else { continue }
            let text = String(decoding: data, as: UTF8.self)
            let plain = text.split(separator: "\n", omittingEmptySubsequences: false).filter {
                !$0.hasPrefix("#EXT-X-KEY:") && !$0.hasPrefix("#EXT-X-SESSION-KEY:")
            }.joined(separator: "\n")
            let wanted = protection.map { ProtectionSignalling.addKeys($0, to: plain, at: key) } ?? plain
            guard protection != nil || wanted != text else { continue }
            checks.expect(
                wanted == text, "keys", key.rawValue, "the keys of the plan", "its keys are not those of the plan")
        }
    }

    /// Checks that the MPD names the key of each encrypted rendition.
    func checkKeys(
        _ protection: Protection, _ document: DASHDocument, _ manifest: OutputManifest, _ checks: inout Checks
    ) {
        let named = document.adaptationSets.flatMap { set in
            set.representations.map { (id: $0.id, kind: set.contentType, keys: set.keyIDs + $0.keyIDs) }
        }
        for rendition in manifest.plan.renditions {
            guard Protection.protectedFolder(of: rendition.initKey) != nil,
                let found = named.first(where: { $0.id == rendition.id && $0.kind == rendition.kind.rawValue })
            else { continue }
            let wanted = protection.keyID(of: rendition.folder)
            checks.expect(
                wanted != nil && found.keys == [wanted?.uuid], "keys", rendition.folder, "the MPD names its key",
                "the MPD names \(found.keys.isEmpty ? "no key" : "another key")")
        }
    }
}
