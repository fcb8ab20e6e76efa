internal import HTTPTypes

extension HTTPRequest {
    /// The host and port that the request names, in lower case. Empty if it names none, as HTTP/1.0 allows.
    /// - Throws: 400 for no or several `Host` headers or a malformed one (RFC 9112 section 3.2).
    func checkedAuthority() throws(APIError) -> String {
        // The codec moves the first header to `authority` and keeps others.
        guard headerFields[.host] == nil else { throw .badRequest("The request has several Host headers") }
        guard let authority else {
            if isHTTP10 { return "" }
            throw .badRequest("The request has no Host header")
        }
        let isValid = authority.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"):
                true
            default: "-._~!$&'()*+,;=%[]:".utf8.contains(byte)
            }
        }
        guard isValid else { throw .badRequest("The request has a malformed Host header") }
        return authority.lowercased()
    }
}
