import ClairoCore
import Foundation
import Testing

/// Records of renditions in `clairo.json` and in results of tasks.
@Suite struct RenditionRecordTests {
    private let plan = #"""
        {"audio":[],"chunks":[],"origin":"0/1","prediction":{"bytes":1,"cpuSeconds":1},"settings":{},
        "source":{"identity":"sha256:00","name":"a.mp4","size":1},"version":2}
        """#
    private let video = #"""
        {"averageRate":247258,"bytes":433483,"codec":"avc1.64000d","duration":14,"frameCount":350,"frameRate":"25/1",
        "name":"240p","peakRate":249350,"size":{"height":240,"width":320}}
        """#
    private let expected = RenditionRecord(
        id: "240p", kind: .video, codec: "avc1.64000d", size: FrameSize(width: 320, height: 240),
        frameRate: Rational(25), frameCount: 350, duration: 14, averageRate: 247_258, peakRate: 249_350,
        bytes: 433_483)

    @Test func aManifestOfAnOlderVersionHasItsAudioAmongTheRenditions() throws {
        let text = """
            {"audio":[{"averageRate":70466,"bytes":124134,"channels":1,"codec":"mp4a.40.2","duration":14,
            "language":"eng","name":"eng-64k"}],"files":[],"generator":"clairo 0.1.0 libav 5.1.9",
            "plan":\(plan),"planID":"f23b","renditions":[\(video)],"state":"complete","warnings":[]}
            """
        let manifest = try JSONDecoder().decode(OutputManifest.self, from: Data(text.utf8))
        let audio = RenditionRecord(
            id: "eng-64k", kind: .audio, codec: "mp4a.40.2", format: .aac, channels: 1, language: "eng", duration: 14,
            averageRate: 70_466, peakRate: 70_466, bytes: 124_134)
        #expect(manifest.renditions == [expected, audio])
        let again = try JSONDecoder().decode(OutputManifest.self, from: JSON.encode(manifest))
        #expect(again == manifest)
    }

    @Test func aResultOfAnOlderVersionIsOfVideo() throws {
        let text = """
            {"decodeErrors":0,"decodedFrames":0,"files":[],"renditions":[\(video)],"schema":2,
            "usage":{"cpuSeconds":1,"peakMemory":1,"steps":{},"wallSeconds":1},"warnings":[]}
            """
        #expect(try JSONDecoder().decode(TaskResult.self, from: Data(text.utf8)).renditions == [expected])
    }

    @Test func aPublishedRenditionIsOneObject() throws {
        let rendition = Rendition(expected, playlistURL: "https://cdn/p.m3u8", fileURL: nil)
        let data = try JSON.encode(rendition)
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(object["id"] as? String == "240p" && object["kind"] as? String == "video")
        #expect(object["playlistURL"] as? String == "https://cdn/p.m3u8" && object["jobID"] == nil)
        #expect(try JSONDecoder().decode(Rendition.self, from: data) == rendition)
    }
}
