import ClairoCore

/// Writes the DASH manifest (ISO/IEC 23009-1): a static MPD with one period that uses the segments of the HLS
/// playlists.
///
/// `$Number$`, counted from 1, addresses the segments by their names, which also contain the attempt if a later one made
/// all of them. A SegmentTimeline gives their times in exact ticks of the segments' timescale. Despite its name, the live
/// profile is the one for templates. If several attempts made a rendition, its names fit no template, so the manifest
/// lists them and declares the main profile. Such a list has a constant duration and no SegmentTimeline: dash.js stops at
/// a segment of a list with both. Renditions of one file each have the on-demand profile and an index.
/// It does not declare the CMAF profile, because copied renditions may violate its rules for brands and switching sets.
enum DASHManifest {
    static func mpd(_ presentation: Presentation) -> String {
        let target = HLSPlaylist.targetDuration(of: presentation)
        var root = Element(
            "MPD",
            [
                ("xmlns", "urn:mpeg:dash:schema:mpd:2011"),
                ("profiles", "urn:mpeg:dash:profile:isoff-\(profile(presentation)):2011"),
                ("type", "static"),
                ("mediaPresentationDuration", isoDuration(presentation.longestDuration)),
                ("minBufferTime", isoDuration(bufferTime(presentation, targetDuration: target))),
            ])
        var period = Element("Period", [("id", "0"), ("start", "PT0S")])
        for set in presentation.videoSets {
            period.children.append(videoSet(set, id: period.children.count, targetDuration: target))
        }
        for set in presentation.audioSets {
            period.children.append(
                audioSet(
                    set.renditions, id: period.children.count, isDefault: set.isDefault, targetDuration: target))
        }
        for rendition in presentation.text { period.children.append(textSet(rendition, id: period.children.count)) }
        for rendition in presentation.images { period.children.append(imageSet(rendition, id: period.children.count)) }
        if let protection = presentation.protection {
            root.attributes += ProtectionSignalling.namespaces
            for index in period.children.indices { protect(&period.children[index], protection) }
        }
        root.children.append(period)
        return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + root.text(indent: 0)
    }

    /// The time that a player has to buffer at the start of any segment, over a network with exactly the declared rate of
    /// the representation, so that every segment is complete when it begins to play. Rounded up to a millisecond.
    private static func bufferTime(_ presentation: Presentation, targetDuration: Int) -> Rational {
        let needs = presentation.renditions.map { rendition in
            let rate = Double(HLSPlaylist.peakRate(of: rendition.segments, targetDuration: targetDuration))
            var (need, backlog) = (0.0, 0.0)
            for segment in rendition.segments where rate > 0 {
                // The worst start is the segment from which the network falls behind the most.
                backlog = max(backlog, 0) + Double(segment.bytes * 8) / rate
                need = max(need, backlog)
                backlog -= segment.duration.doubleValue
            }
            return need
        }
        return Rational(Int64(((needs.max() ?? 0) * 1000 - 0.001).rounded(.up)), 1000)
    }

    private static func profile(_ presentation: Presentation) -> String {
        let renditions = presentation.renditions
        if !renditions.isEmpty, renditions.allSatisfy({ $0.file != nil }) { return "on-demand" }
        return renditions.allSatisfy { $0.file == nil && $0.onlyAttempt != nil } ? "live" : "main"
    }

    /// What holds for all segments of a set: in one file they are subsegments.
    private static func alignment(_ rendition: (any MeasuredRendition)?) -> [(String, String)] {
        rendition?.file == nil
            ? [("segmentAlignment", "true"), ("startWithSAP", "1")]
            : [("subsegmentAlignment", "true"), ("subsegmentStartsWithSAP", "1")]
    }

    private static func role(_ value: String) -> Element {
        Element("Role", [("schemeIdUri", "urn:mpeg:dash:role:2011"), ("value", value)])
    }

    private static func videoSet(_ renditions: [VideoRendition], id: Int, targetDuration: Int) -> Element {
        let sizes = renditions.map(\.rung.size)
        let largest = sizes.max { $0.pixels < $1.pixels } ?? FrameSize(width: 1, height: 1)
        let aspect = Rational(Int64(largest.width), Int64(largest.height))
        var set = Element(
            "AdaptationSet",
            [("id", String(id)), ("contentType", "video"), ("mimeType", "video/mp4")] + alignment(renditions.first) + [
                ("par", "\(aspect.num):\(aspect.den)"),
                ("maxWidth", String(sizes.map(\.width).max() ?? 0)),
                ("maxHeight", String(sizes.map(\.height).max() ?? 0)),
                ("maxFrameRate", fraction(renditions.map(\.frameRate).max() ?? .zero)),
            ])
        // The schema fixes the order of the children.
        if let rendition = renditions.first, rendition.rung.dynamicRange != .sdr {
            set.children += colorDescriptors(rendition.color)
        }
        set.children.append(role("main"))
        set.children += renditions.map { rendition in
            let rate = HLSPlaylist.peakRate(of: rendition.segments, targetDuration: targetDuration)
            var representation = Element(
                "Representation",
                [
                    ("id", rendition.rung.id),
                    ("bandwidth", String(rate)),
                    ("codecs", rendition.codec),
                    ("width", String(rendition.rung.size.width)),
                    ("height", String(rendition.rung.size.height)),
                    ("frameRate", fraction(rendition.frameRate)),
                    ("sar", "1:1"),
                ])
            representation.children = segmentInformation(rendition)
            return representation
        }
        return set
    }

    /// The code points of ISO/IEC 23091-2, by which players find video that their screen can show.
    private static func colorDescriptors(_ color: ColorDescription) -> [Element] {
        [
            ("ColourPrimaries", color.primaries), ("TransferCharacteristics", color.transfer),
            ("MatrixCoefficients", color.matrix),
        ].map { name, value in
            Element(
                "SupplementalProperty",
                [("schemeIdUri", "urn:mpeg:mpegB:cicp:\(name)"), ("value", String(value))])
        }
    }

    /// - Parameter renditions: The rates of one track in one format.
    private static func audioSet(
        _ renditions: [AudioRendition], id: Int, isDefault: Bool, targetDuration: Int
    ) -> Element {
        guard let track = renditions.first?.track else { return Element("AdaptationSet", []) }
        var set = Element(
            "AdaptationSet",
            [
                ("id", String(id)),
                ("contentType", "audio"),
                ("mimeType", "audio/mp4"),
                ("lang", LanguageTag(track.language).text),
            ] + alignment(renditions.first))
        // The schema fixes the order of the children.
        set.children.append(channelConfiguration(track))
        let label = HLSPlaylist.printable(track.title ?? "")
        if !label.isEmpty { set.children.append(Element("Label", [], content: label)) }
        if track.role == .description {
            set.children.append(
                Element(
                    "Accessibility", [("schemeIdUri", "urn:tva:metadata:cs:AudioPurposeCS:2007"), ("value", "1")]))
        }
        set.children.append(role(track.dashRole(isDefault: isDefault)))
        set.children += renditions.map { rendition in
            let rate = HLSPlaylist.peakRate(of: rendition.segments, targetDuration: targetDuration)
            var representation = Element(
                "Representation",
                [
                    ("id", rendition.track.id),
                    ("bandwidth", String(rate)),
                    ("codecs", rendition.codec),
                    ("audioSamplingRate", String(AudioPlan.sampleRate)),
                ])
            representation.children = segmentInformation(rendition)
            return representation
        }
        return set
    }

    /// Makes the set of a storyboard (DASH-IF Interoperability Points 4.3, 6.2.6). The size is that of a sheet. Every sheet
    /// is as long as a full one, because its tiles divide its time evenly; the end of the period cuts the last.
    private static func imageSet(_ rendition: ImageRendition, id: Int) -> Element {
        let plan = rendition.plan
        let target = HLSPlaylist.targetDuration(of: rendition.sheets)
        let names = OutputLayout.dashTemplates(.image)
        let duration = Rational(Int64(plan.tilesPerSheet)) * plan.tileDuration
        var set = Element("AdaptationSet", [("id", String(id)), ("contentType", "image"), ("mimeType", "image/jpeg")])
        var representation = Element(
            "Representation",
            [
                ("id", plan.id),
                ("bandwidth", String(HLSPlaylist.peakRate(of: rendition.sheets, targetDuration: target))),
                ("width", String(plan.sheetSize.width)),
                ("height", String(plan.sheetSize.height)),
            ])
        representation.children = [
            Element(
                "EssentialProperty",
                [
                    ("schemeIdUri", "http://dashif.org/guidelines/thumbnail_tile"),
                    ("value", "\(plan.columns)x\(plan.rows)"),
                ]),
            Element(
                "SegmentTemplate",
                [
                    ("timescale", String(duration.den)), ("duration", String(duration.num)), ("media", names.media),
                    ("startNumber", "1"),
                ]),
        ]
        set.children = [representation]
        return set
    }

    /// Makes the set of a text track, which is one file. Players show the main track of a language, or none.
    private static func textSet(_ rendition: TextRendition, id: Int) -> Element {
        let track = rendition.track
        var set = Element(
            "AdaptationSet",
            [
                ("id", String(id)), ("contentType", "text"), ("mimeType", "text/vtt"),
                ("lang", LanguageTag(track.language).text),
            ])
        // The schema fixes the order of the children.
        let label = HLSPlaylist.printable(track.title ?? "")
        if !label.isEmpty { set.children.append(Element("Label", [], content: label)) }
        if track.role == .captions {
            // For people who do not hear well.
            set.children.append(
                Element(
                    "Accessibility", [("schemeIdUri", "urn:tva:metadata:cs:AudioPurposeCS:2007"), ("value", "2")]))
        }
        set.children.append(role(track.dashRole))
        if track.isDefault { set.children.append(role("main")) }
        let seconds = track.duration > .zero ? track.duration : Rational(1)
        var representation = Element(
            "Representation",
            [
                ("id", track.id),
                ("bandwidth", String(max(1, (Rational(Int64(rendition.wholeBytes) * 8) / seconds).ceil))),
            ])
        representation.children = [Element("BaseURL", [], content: track.wholeKey.rawValue)]
        set.children.append(representation)
        return set
    }

    /// Dolby's codecs have a scheme of their own, whose value is a mask of speakers (ETSI TS 102 366, I.1.2.1).
    private static func channelConfiguration(_ track: AudioPlan) -> Element {
        let value =
            switch track.codec {
            case .aac, .opus: ("urn:mpeg:dash:23003:3:audio_channel_configuration:2011", String(track.channels))
            case .ac3, .eac3:
                (
                    "tag:dolby.com,2014:dash:audio_channel_configuration:2011",
                    [1: "4000", 2: "A000"][track.channels] ?? "F801"
                )
            }
        return Element("AudioChannelConfiguration", [("schemeIdUri", value.0), ("value", value.1)])
    }

    private static func segmentInformation(_ rendition: any MeasuredRendition) -> [Element] {
        if let file = rendition.file { return segmentBase(rendition, file) }
        return [rendition.onlyAttempt.map { segmentTemplate(rendition, attempt: $0) } ?? segmentList(rendition)]
    }

    private static func segmentBase(_ rendition: any MeasuredRendition, _ file: SingleFile) -> [Element] {
        var base = Element(
            "SegmentBase",
            [
                ("timescale", String(rendition.timescale)),
                ("indexRange", "\(file.initBytes)-\(file.initBytes + file.indexBytes - 1)"),
            ])
        base.children = [Element("Initialization", [("range", "0-\(file.initBytes - 1)")])]
        return [Element("BaseURL", [], content: file.key.rawValue), base]
    }

    private static func segmentTemplate(_ rendition: any MeasuredRendition, attempt: Int) -> Element {
        let names = OutputLayout.dashTemplates(rendition.keys.kind, attempt: attempt)
        var template = Element(
            "SegmentTemplate",
            [
                ("timescale", String(rendition.timescale)),
                ("initialization", names.initialization),
                ("media", names.media),
                ("startNumber", "1"),
            ])
        template.children = [timeline(rendition)]
        return template
    }

    private static func segmentList(_ rendition: any MeasuredRendition) -> Element {
        let keys = rendition.keys
        // All segments but the last are equally long: only video is made in parts, and its grid is regular.
        let ticks = runs(of: rendition.segments, timescale: rendition.timescale).first?.ticks ?? 1
        var list = Element(
            "SegmentList", [("timescale", String(rendition.timescale)), ("duration", String(ticks))])
        // The schema fixes the order of the children.
        list.children = [Element("Initialization", [("sourceURL", keys.initKey.rawValue)])]
        list.children += rendition.segments.indices.map {
            Element("SegmentURL", [("media", keys.segmentKey($0).rawValue)])
        }
        return list
    }

    private static func timeline(_ rendition: any MeasuredRendition) -> Element {
        var timeline = Element("SegmentTimeline", [])
        timeline.children = runs(of: rendition.segments, timescale: rendition.timescale).enumerated().map {
            index, run in
            var attributes = [("d", String(run.ticks))]
            if index == 0 { attributes.insert(("t", "0"), at: 0) }
            if run.count > 1 { attributes.append(("r", String(run.count - 1))) }
            return Element("S", attributes)
        }
        return timeline
    }

    /// Groups consecutive segments of equal duration. Each segment ends at the tick nearest to its exact end, so
    /// durations that are not whole ticks (none are expected) do not accumulate drift.
    private static func runs(of segments: [MeasuredSegment], timescale: Int64) -> [(ticks: Int64, count: Int)] {
        var runs: [(ticks: Int64, count: Int)] = []
        var exact = Rational.zero
        var position: Int64 = 0
        for segment in segments {
            exact = exact + segment.duration
            let end = (exact * Rational(timescale)).rounded
            if let last = runs.last, last.ticks == end - position {
                runs[runs.count - 1].count += 1
            } else {
                runs.append((end - position, 1))
            }
            position = end
        }
        return runs
    }

    /// Formats the manifest's FrameRateType: `24000/1001`, or `25` for whole numbers.
    private static func fraction(_ value: Rational) -> String {
        value.den == 1 ? String(value.num) : value.description
    }

    /// Formats a duration as `PT12.012S`: seconds to the microsecond, without trailing zeros.
    private static func isoDuration(_ seconds: Rational) -> String {
        var text = HLSPlaylist.decimal(seconds, places: 6)
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return "PT\(text)S"
    }
}

extension DASHManifest {
    /// Adds the description of keys to an AdaptationSet, or to its representations if they have different keys.
    fileprivate static func protect(_ set: inout Element, _ protection: Protection) {
        let kind = set["contentType"] ?? ""
        func key(of representation: Element) -> KeyID? {
            let folder = "\(kind)/\(representation["id"] ?? "")"
            guard Protection.protectedFolder(of: ObjectKey(folder + "/init.mp4")) != nil else { return nil }
            return protection.keyID(of: folder)
        }
        let representations = set.children.indices.filter { set.children[$0].name == "Representation" }
        let keys = representations.map { key(of: set.children[$0]) }
        if let first = keys.first, let id = first, keys.allSatisfy({ $0 == id }) {
            // The schema puts it after the configuration of channels and before everything else.
            let place = set.children.prefix { $0.name == "AudioChannelConfiguration" }.count
            set.children.insert(contentsOf: elements(protection, id), at: place)
            return
        }
        for (index, id) in zip(representations, keys) {
            guard let id else { continue }
            set.children[index].children.insert(contentsOf: elements(protection, id), at: 0)
        }
    }

    private static func elements(_ protection: Protection, _ id: KeyID) -> [Element] {
        ProtectionSignalling.contentProtection(protection, id).map { description in
            var element = Element(description.name, description.attributes)
            if let child = description.child {
                element.children = [Element(child.name, child.attributes, content: child.text)]
            }
            return element
        }
    }
}

/// An XML element, as far as a manifest needs it.
private struct Element {
    var name: String
    var attributes: [(String, String)]
    var content: String?
    var children: [Element] = []

    init(_ name: String, _ attributes: [(String, String)], content: String? = nil) {
        self.name = name
        self.attributes = attributes
        self.content = content
    }

    /// The value of an attribute.
    subscript(_ name: String) -> String? { attributes.first { $0.0 == name }?.1 }

    func text(indent: Int) -> String {
        let margin = String(repeating: "  ", count: indent)
        let start = margin + "<" + name + attributes.map { " \($0)=\"\(Self.escaped($1))\"" }.joined()
        if let content { return "\(start)>\(Self.escaped(content))</\(name)>\n" }
        if children.isEmpty { return "\(start)/>\n" }
        return "\(start)>\n" + children.map { $0.text(indent: indent + 1) }.joined() + "\(margin)</\(name)>\n"
    }

    /// Escapes text for content and attributes. Characters that XML 1.0 does not allow are dropped.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&apos;"
            case "\t", "\n", "\r": result += "&#\(scalar.value);"
            case "\u{FFFE}", "\u{FFFF}": continue
            case _ where scalar.value < 0x20: continue
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
