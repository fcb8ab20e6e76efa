internal import Foundation
internal import FoundationXML

/// An element of one of S3's small replies. Names are compared without their namespace, which not every server sends.
final class S3Document {
    let name: String
    fileprivate(set) var children: [S3Document] = []
    fileprivate(set) var text = ""

    fileprivate init(name: String) { self.name = name }

    /// The text of the first child with this name.
    subscript(name: String) -> String? { children.first { $0.name == name }?.text }

    func all(_ name: String) -> [S3Document] { children.filter { $0.name == name } }

    /// The root element, or nil where the bytes are not XML. White space in front is what S3 sends to keep a connection open
    /// during a long CompleteMultipartUpload.
    static func parse(_ data: Data) -> S3Document? {
        let content = data.drop { [UInt8(ascii: " "), 9, 10, 13].contains($0) }
        guard !content.isEmpty else { return nil }
        let parser = XMLParser(data: Data(content))
        parser.shouldProcessNamespaces = true
        let builder = Builder()
        parser.delegate = builder
        return parser.parse() ? builder.root : nil
    }

    private final class Builder: NSObject, XMLParserDelegate {
        var root: S3Document?
        private var open: [S3Document] = []

        func parser(
            _ parser: XMLParser, didStartElement elementName: String, namespaceURI: String?,
            qualifiedName: String?, attributes: [String: String]
        ) {
            let element = S3Document(name: elementName)
            open.last?.children.append(element)
            if root == nil { root = element }
            open.append(element)
        }

        func parser(_ parser: XMLParser, foundCharacters string: String) { open.last?.text += string }

        func parser(
            _ parser: XMLParser, didEndElement elementName: String, namespaceURI: String?, qualifiedName: String?
        ) { open.removeLast() }
    }

    static func escape(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: ">", with: "&gt;")
    }
}
