internal import ClairoCore
internal import Foundation

/// An XML element of a small S3 reply. Namespaces are ignored, because some servers do not send them.
final class S3Document {
    let name: String
    fileprivate(set) var children: [S3Document] = []
    fileprivate(set) var text = ""

    fileprivate init(name: String) { self.name = name }

    /// The text of the first child with this name.
    subscript(name: String) -> String? { children.first { $0.name == name }?.text }

    func all(_ name: String) -> [S3Document] { children.filter { $0.name == name } }

    /// Parses the root element. Returns nil if the bytes are not XML. Leading white space is allowed, because S3 sends
    /// it to keep the connection open during a long CompleteMultipartUpload.
    static func parse(_ data: Data) -> S3Document? {
        do {
            var reader = try XMLReader(data)
            var root: S3Document?
            var open: [S3Document] = []
            while let event = try reader.next() {
                switch event {
                case .start(let name, _):
                    let element = S3Document(name: String(name.split(separator: ":").last ?? ""))
                    open.last?.children.append(element)
                    root = root ?? element
                    open.append(element)
                case .text(let text): open.last?.text += text
                case .end: open.removeLast()
                }
            }
            return root
        } catch {
            return nil
        }
    }

    static func escape(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: ">", with: "&gt;")
    }
}
