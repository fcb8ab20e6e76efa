internal import ClairoCore

/// The rules of HLS (RFC 8216bis and Apple's authoring specification, by its numbers) and DASH (ISO/IEC 23009-1) that
/// concern a playlist or a manifest as a whole.
extension Verifier {
    // MARK: HLS

    func checkMaster(_ master: HLSMaster, _ plan: Plan, _ checks: inout Checks) {
        let subject = OutputLayout.masterPlaylist.rawValue
        let audio = master.media.filter { $0.type == "AUDIO" }
        let rungs = plan.video?.rungs ?? []

        // Every rendition can be played, and each combination is there once.
        let variants = Set(master.variants.map(\.uri))
        let wanted = rungs.map(\.playlistKey.rawValue)
        let lacking = wanted.filter { !variants.contains($0) }
        let combinations = Set(master.variants.map { [$0.uri, $0.audioGroup ?? ""] })
        checks.expect(
            lacking.isEmpty && combinations.count == master.variants.count
                && (!rungs.isEmpty || !master.variants.isEmpty), "playlist", subject,
            "\(master.variants.count) variants of \(max(wanted.count, 1)) renditions",
            lacking.isEmpty ? "a variant is there twice" : "no variant has \(lacking.joined(separator: ", "))")
        let named = Set(audio.compactMap(\.uri)).union(rungs.isEmpty ? variants : [])
        let silent = plan.audio.map(\.playlistKey.rawValue).filter { !named.contains($0) }
        checks.expect(
            silent.isEmpty, "playlist", subject, "\(plan.audio.count) audio tracks",
            "no group has \(silent.joined(separator: ", "))")
        let iframes = Set(master.iframeStreams.map(\.uri))
        // No part of a segment that is encrypted as a whole can be read by itself.
        let withoutIFrames = (plan.protection?.scheme == .aes128 ? [] : rungs)
            .map(\.iframePlaylistKey.rawValue).filter { !iframes.contains($0) }
        checks.expect(
            withoutIFrames.isEmpty, "iframes", subject, "\(iframes.count) I-frame streams",
            "no I-frame stream has \(withoutIFrames.joined(separator: ", "))")

        checks.record("hls-rules", subject, "RFC 8216 and Apple's rules", problems: hlsProblems(master, plan))
    }

    private func hlsProblems(_ master: HLSMaster, _ plan: Plan) -> [String?] {
        let hasVideo = plan.video != nil
        let isHDR = plan.video?.rungs.contains { $0.dynamicRange != .sdr } ?? false
        var problems: [String?] = [
            master.hasIndependentSegments ? nil : "EXT-X-INDEPENDENT-SEGMENTS is missing (9.11)",
            master.variants.allSatisfy { !$0.codecs.isEmpty } ? nil : "a variant has no CODECS (9.1)",
            master.variants.allSatisfy { $0.averageBandwidth != nil }
                ? nil : "a variant has no AVERAGE-BANDWIDTH (9.14)",
            !hasVideo || master.variants.allSatisfy { $0.resolution != nil }
                ? nil : "a variant has no RESOLUTION (9.2)",
            !hasVideo || master.variants.allSatisfy { $0.frameRate != nil }
                ? nil : "a variant has no FRAME-RATE (9.15)",
            !isHDR || master.variants.allSatisfy { $0.videoRange != nil } ? nil : "a variant has no VIDEO-RANGE (9.16)",
            !isHDR || master.variants.contains { $0.videoRange == "SDR" } ? nil : "no variant is in SDR (1.24)",
            master.iframeStreams.allSatisfy { !$0.codecs.isEmpty && $0.resolution != nil }
                ? nil : "an I-frame stream has no CODECS or RESOLUTION (9.3, 9.4)",
        ]
        for type in Set(master.media.map(\.type)) { problems += groupProblems(master.media.filter { $0.type == type }) }
        let used = Set(master.variants.compactMap(\.audioGroup))
        let unused = Set(master.media.filter { $0.type == "AUDIO" }.map(\.groupID)).subtracting(used)
        problems.append(unused.isEmpty ? nil : "no variant has the group \(unused.sorted().joined(separator: ", "))")
        return problems
    }

    /// RFC 8216, 4.3.4.1.1 and 4.3.4.2.1.
    private func groupProblems(_ media: [HLSMedia]) -> [String?] {
        let groups = Dictionary(grouping: media, by: \.groupID).sorted { $0.key < $1.key }
        var problems: [String?] = groups.flatMap { id, members -> [String?] in
            let selectable = members.filter(\.isAutoselect).map {
                [$0.language ?? "", $0.characteristics ?? "", $0.isForced ? "forced" : ""]
            }
            return [
                Set(members.map(\.name)).count == members.count ? nil : "two members of \(id) have the same NAME",
                members.filter(\.isDefault).count <= 1 ? nil : "\(id) has several members with DEFAULT",
                members.allSatisfy { $0.language != nil } ? nil : "a member of \(id) has no LANGUAGE (8.10)",
                Set(selectable).count == selectable.count
                    ? nil : "two members of \(id) with AUTOSELECT have the same language and characteristics",
            ]
        }
        let names = groups.map { Set($0.value.map(\.name)) }
        problems.append(names.allSatisfy { $0 == names.first } ? nil : "the groups do not have the same members")
        return problems
    }

    // MARK: DASH

    func checkSchema(_ document: DASHDocument, _ plan: Plan, _ checks: inout Checks) {
        let sets = document.adaptationSets
        let ids = sets.compactMap(\.id)
        let addressing = plan.publishesSingleFiles ? ["on-demand"] : ["live", "main"]
        let profiles = addressing.map { "urn:mpeg:dash:profile:isoff-\($0):2011" }
        let mixed = sets.first { set in
            set.contentType == "video"
                && Set(set.representations.map { $0.codecs.prefix { $0 != "." } }).count > 1
        }
        let loud = sets.filter { $0.contentType == "audio" && $0.roles.isEmpty }
        checks.record(
            "dash-rules", OutputLayout.dashManifest.rawValue, "as ISO/IEC 23009-1 has it",
            problems: [
                document.profiles.contains(where: profiles.contains)
                    ? nil : "its profiles are \(document.profiles.joined(separator: ", "))",
                document.minBufferTime.map { $0 > .zero } ?? false ? nil : "minBufferTime is missing",
                Set(ids).count == ids.count ? nil : "two adaptation sets have the same id",
                sets.allSatisfy { !$0.representations.isEmpty } ? nil : "an adaptation set is empty",
                mixed == nil ? nil : "an adaptation set has several codecs",
                loud.isEmpty ? nil : "a set of audio has no Role",
                sets.filter { $0.contentType == "audio" }.allSatisfy { $0.channels != nil && $0.language != nil }
                    ? nil : "a set of audio has no AudioChannelConfiguration or no lang",
            ])
    }
}

extension Checks {
    /// Records several conditions as one check.
    mutating func record(_ name: String, _ subject: String, _ found: String, problems: [String?]) {
        let problems = problems.compactMap { $0 }
        expect(problems.isEmpty, name, subject, found, problems.prefix(5).joined(separator: "; "))
    }
}
