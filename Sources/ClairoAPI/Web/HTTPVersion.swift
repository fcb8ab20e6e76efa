internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypesHTTP1

extension HTTPRequest {
    /// Whether the client speaks HTTP/1.0. `HTTPVersionMark` sets this header; a client cannot.
    var isHTTP10: Bool { headerFields[HTTPVersionMark.field] != nil }
}

/// Marks requests of HTTP/1.0 with a header, because the types of HTTPTypes have no version. Their connection ends with
/// the response unless the client asks to keep it, because some clients read until then.
final class HTTPVersionMark: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    static let field = HTTPField.Name.named("Clairo-HTTP-Version")

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        head.headers.remove(name: Self.field.canonicalName)
        if head.version == .http1_0 {
            head.headers.add(name: Self.field.canonicalName, value: "1.0")
            if !head.isKeepAlive { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }
}

/// Puts an `HTTPVersionMark` before the codec that drops the version. Hummingbird adds handlers only after it. It passes
/// all events on: NIO takes no handler that is for neither direction.
final class HTTPVersionMarkInstaller: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    func handlerAdded(context: ChannelHandlerContext) {
        do {
            let pipeline = context.pipeline.syncOperations
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(HTTPVersionMark(), position: .before(codec))
        } catch {
            context.fireErrorCaught(error)
        }
    }
}
