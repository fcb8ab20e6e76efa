public import Foundation
public import Testing

/// The shared folder of real and damaged files: `../shared/media` beside the package, or the folder in
/// `CLAIRO_TEST_MEDIA`.
public struct MediaFolder: Sendable {
    /// A line of the manifest.
    public struct Entry: Sendable, CustomTestStringConvertible {
        /// For example `broken/gen_empty.mp4`.
        public var name: String
        /// Why the file is in the collection.
        public var why: String
        public var testDescription: String { name }
    }

    public let url: URL

    /// Nil if the folder does not exist.
    public static let shared: MediaFolder? = {
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let named = ProcessInfo.processInfo.environment["CLAIRO_TEST_MEDIA"].map { URL(fileURLWithPath: $0) }
        let url = named ?? package.appendingPathComponent("../shared/media").standardizedFileURL
        let manifest = url.appendingPathComponent("MANIFEST.tsv").path
        return FileManager.default.fileExists(atPath: manifest) ? MediaFolder(url: url) : nil
    }()

    public func path(_ name: String) -> String { url.appendingPathComponent(name).path }

    /// The manifest's entries whose file exists.
    public func entries() throws -> [Entry] {
        let text = try String(contentsOf: url.appendingPathComponent("MANIFEST.tsv"), encoding: .utf8)
        let lines = text.split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false) }
        guard let header = lines.first, let file = header.firstIndex(of: "file"), let why = header.firstIndex(of: "why")
        else { return [] }
        return lines.dropFirst().compactMap { fields in
            guard fields.count > max(file, why) else { return nil }
            let entry = Entry(name: String(fields[file]), why: String(fields[why]))
            return FileManager.default.fileExists(atPath: path(entry.name)) ? entry : nil
        }
    }
}
