public import ClairoCore
internal import Curl
internal import Foundation
internal import Synchronization

/// An object read through presigned URLs, without credentials.
///
/// A URL expires, and so do the credentials that signed it. If a URL is rejected, the newest one is used for the next
/// attempt. Errors contain only its scheme and host.
public enum PresignedSource {
    /// Creates the source. Makes no requests yet.
    /// - Parameters:
    ///   - name: The name of the object in errors.
    ///   - environment: The environment variables that configure proxies and certificates.
    ///   - stop: Cancels requests.
    ///   - pause: Sleeps between attempts, in seconds. Returns false if stopped.
    ///   - url: Returns the newest presigned URL. Blocks.
    public static func open(
        name: String, size: Int64, etag: String, environment: [String: String],
        stop: StopRequest = StopRequest(), pause: (@Sendable (Double) -> Bool)? = nil,
        url: @escaping @Sendable () throws(ClairoError) -> String
    ) -> any ByteSource {
        let token = Cancellation()
        stop.onCancel { token.cancel() }
        var configuration = HTTPClient.Configuration()
        configuration.environment = environment
        let reader = Reader(
            name: name, size: size, etag: etag, url: url, client: HTTPClient(configuration), token: token,
            pause: pause ?? { token.sleep(seconds: $0) })
        return RangeSource(name: name, size: size, etag: etag) { (range) throws(ClairoError) in try reader.read(range) }
    }

    private struct Reader: Sendable {
        let name: String
        let size: Int64
        let etag: String
        let url: @Sendable () throws(ClairoError) -> String
        let client: HTTPClient
        let token: Cancellation
        let pause: @Sendable (Double) -> Bool

        private static let attempts = 6

        func read(_ range: Range<Int64>) throws(ClairoError) -> Data {
            var attempt = 1
            while true {
                do throws(Refusal) {
                    return try once(range)
                } catch {
                    guard error.isRetryable, attempt < Self.attempts else { throw error.error }
                    guard pause(Double.random(in: 0.5...1) * Double(1 << attempt) / 2) else { throw .cancelled }
                    attempt += 1
                }
            }
        }

        private func once(_ range: Range<Int64>) throws(Refusal) -> Data {
            let address: String
            do { address = try url() } catch { throw Refusal(error: error, isRetryable: false) }
            var request = HTTPRequest("GET", address)
            for (name, value) in RangeReply.headers(range, etag: etag) { request.headers.append(name, value) }
            let reply: HTTPReply
            do {
                reply = try client.send(request, limit: max(Int(range.count), 64 << 10), cancellation: token)
            } catch let error as CurlError {
                let failure: ClairoError =
                    error.category == .cancelled ? .cancelled : .unavailable("Reading \(name): \(error)")
                throw Refusal(error: failure, isRetryable: error.isRetryable)
            } catch {
                throw Refusal(error: .defect("Reading \(name): \(error)"), isRetryable: false)
            }
            switch reply.status {
            case 200, 206:
                guard RangeReply.isWanted(reply.head, range, size: size, etag: etag) else {
                    throw Refusal(error: RangeReply.replaced(name), isRetryable: false)
                }
                guard reply.body.count == range.count else {
                    throw Refusal(
                        error: .temporary("Reading \(name): received \(reply.body.count) of \(range.count) bytes"),
                        isRetryable: true)
                }
                return reply.body
            case 412, 416: throw Refusal(error: RangeReply.replaced(name), isRetryable: false)
            case 404: throw Refusal(error: .noInput("Reading \(name): the object no longer exists"), isRetryable: false)
            // The URL or the credentials that signed it have probably expired. A newer URL may be available.
            case 400, 401, 403:
                throw Refusal(
                    error: .temporary("Reading \(name): its presigned URL was rejected (HTTP \(reply.status))"),
                    isRetryable: true)
            default:
                throw Refusal(
                    error: .temporary("Reading \(name): HTTP \(reply.status)"),
                    isRetryable: reply.status == 429 || reply.status >= 500)
            }
        }
    }

    private struct Refusal: Error {
        var error: ClairoError
        var isRetryable: Bool
    }
}
