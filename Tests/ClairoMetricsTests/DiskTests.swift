import ClairoMetrics
import ClairoTestSupport
import Foundation
import Testing

struct DiskTests {
    private func lines(_ folders: [DiskMetrics.Folder]) -> [String] {
        var page = Exposition()
        DiskMetrics.write(folders, to: &page)
        return page.text.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
    }

    @Test func aDiskIsReportedOnceUnderTheFirstOfItsFolders() throws {
        let scratch = try Scratch()
        let lines = lines([
            .init(label: "data", path: scratch.path("not/there/yet")), .init(label: "raw", path: scratch.path),
            .init(label: "output", path: "/proc"),
        ])
        #expect(lines.count == 4 && !lines.contains { $0.contains(#"folder="raw""#) }, "\(lines)")
        let attributes = try FileManager.default.attributesOfFileSystem(forPath: scratch.path)
        let size = try #require(attributes[.systemSize] as? NSNumber)
        #expect(lines.contains(#"clairo_disk_size_bytes{folder="data"} \#(size.int64Value)"#), "\(lines)")
    }

    @Test func aMissingFolderIsOmitted() {
        #expect(lines([.init(label: "data", path: "nowhere")]) == [])
    }
}
