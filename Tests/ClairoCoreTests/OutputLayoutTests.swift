import ClairoCore
import Testing

/// The names of output files since the first release. Players cache them, and other programs link to them.
@Suite struct OutputLayoutTests {
    @Test func filesAtTheRootOfAnOutputHaveFixedNames() {
        #expect(OutputLayout.masterPlaylist == "master.m3u8")
        #expect(OutputLayout.dashManifest == "manifest.mpd")
        #expect(OutputLayout.poster == "poster.jpg")
        #expect(OutputLayout.posterWebP == "poster.webp")
        #expect(OutputLayout.manifest == "clairo.json")
        #expect(OutputLayout.entryPoints == ["master.m3u8", "manifest.mpd"])
    }

    @Test func filesOfARenditionAreInItsFolder() {
        #expect(OutputLayout.folder(.video, "720p") == "video/720p")
        #expect(OutputLayout.initSegment(.video, "720p") == "video/720p/init.mp4")
        #expect(OutputLayout.playlist(.video, "720p") == "video/720p/playlist.m3u8")
        #expect(OutputLayout.iframePlaylist(.video, "720p") == "video/720p/iframes.m3u8")
        #expect(OutputLayout.initSegment(.audio, "eng-aac-128k") == "audio/eng-aac-128k/init.mp4")
        #expect(OutputLayout.playlist(.audio, "eng-aac-128k") == "audio/eng-aac-128k/playlist.m3u8")
        #expect(OutputLayout.progressive(.video, "720p") == "mp4/720p.mp4")
        #expect(OutputLayout.progressive(.audio, "eng-aac-128k") == "mp4/eng-aac-128k.m4a")
        #expect(OutputLayout.segment(.image, "storyboard", 0) == "images/storyboard/00001.jpg")
        #expect(OutputLayout.playlist(.image, "storyboard") == "images/storyboard/playlist.m3u8")
        #expect(OutputLayout.storyboardTrack("storyboard") == "images/storyboard/storyboard.vtt")
    }

    @Test(arguments: [(0, "00001"), (8, "00009"), (99_998, "99999"), (99_999, "100000"), (1_234_566, "1234567")])
    func segmentsAreNamedFromOneWithAtLeastFiveDigits(index: Int, name: String) {
        #expect(OutputLayout.segment(.audio, "und-aac-64k", index) == ObjectKey("audio/und-aac-64k/\(name).m4s"))
    }

    @Test func laterAttemptsHaveTheirOwnNames() {
        #expect(OutputLayout.segment(.video, "720p", 6, attempt: 1) == "video/720p/00007.m4s")
        #expect(OutputLayout.segment(.video, "720p", 6, attempt: 2) == "video/720p/00007-2.m4s")
        #expect(OutputLayout.initSegment(.audio, "eng-aac-64k", attempt: 12) == "audio/eng-aac-64k/init-12.mp4")
        for attempt in [1, 2, 30] {
            let key = OutputLayout.initSegment(.video, "720p", attempt: attempt)
            #expect(OutputLayout.isInitSegment(key, .video, "720p"))
            #expect(!OutputLayout.isInitSegment(key, .video, "72p") && !OutputLayout.isInitSegment(key, .audio, "720p"))
        }
        #expect(!OutputLayout.isInitSegment("video/720p/00001.m4s", .video, "720p"))
    }

    @Test func templatesExpandToTheNamesOfSegments() {
        for (kind, attempt) in RenditionKind.allCases.flatMap({ kind in [1, 2].map { (kind, $0) } }) {
            let templates = OutputLayout.dashTemplates(kind, attempt: attempt)
            func filled(_ template: String) -> ObjectKey {
                ObjectKey(
                    template.replacing("$RepresentationID$", with: "a").replacing("$Number%05d$", with: "00042"))
            }
            #expect(filled(templates.initialization) == OutputLayout.initSegment(kind, "a", attempt: attempt))
            #expect(filled(templates.media) == OutputLayout.segment(kind, "a", 41, attempt: attempt))
        }
    }

    @Test func anOutputConsistsOfItsOwnFilesAndFolders() {
        for key in [
            "clairo.json", "video/720p/00001.m4s", "audio/eng-aac-128k/init.mp4", "mp4/720p.mp4", "poster.jpg",
            "poster.webp", "images/storyboard/00001.jpg",
        ] {
            #expect(OutputLayout.contains(ObjectKey(key)), "\(key)")
        }
        for key in [".bashrc", ".ssh/authorized_keys", "video", "thesis.odt", "videos/x.mp4", "a/clairo.json"] {
            #expect(!OutputLayout.contains(ObjectKey(key)), "\(key)")
        }
        #expect(OutputLayout.isProgressive("mp4/720p.mp4") && !OutputLayout.isProgressive("mp4.mp4"))
    }

    @Test func playlistsReferToFilesInTheirOwnFolder() {
        let playlist = OutputLayout.playlist(.video, "720p")
        let segment = OutputLayout.segment(.video, "720p", 0)
        #expect(OutputLayout.fileName(of: segment) == "00001.m4s")
        #expect(OutputLayout.key(of: "00001.m4s", in: playlist) == segment)
        #expect(OutputLayout.key(of: "video/720p/playlist.m3u8", in: OutputLayout.masterPlaylist) == playlist)
    }

    @Test func sourcesAndJobsHaveFoldersInTheBuckets() throws {
        let video = VideoID.derived(from: "video")
        let job = JobID.derived(from: "job")
        #expect(OutputLayout.source(of: video) == ObjectKey("videos/\(video)/source"))
        #expect(Video.sourceKey(video) == OutputLayout.source(of: video))
        let folder = JobFolder(video: video, job: job)
        #expect(folder.prefix == "videos/\(video)/\(job)/")
        let key = folder.place("video/720p/00001.m4s")
        #expect(key == ObjectKey("videos/\(video)/\(job)/video/720p/00001.m4s"))
        #expect(JobFolder(containing: key) == folder)
        #expect(JobFolder(containing: folder.place("clairo.json")) == folder)
        for other in ["videos/\(video)/source", "videos/\(video)/notes/clairo.json", "video/\(video)/\(job)/x", "x"] {
            #expect(JobFolder(containing: ObjectKey(other)) == nil, "\(other)")
        }
    }
}
