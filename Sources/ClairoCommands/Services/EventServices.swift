internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoMessaging
internal import ClairoPipeline
internal import ClairoStorage
internal import Foundation

/// What the pipeline has to do with the world beyond it: events of other people's buckets, and webhooks.
extension Services {
    /// Deals with messages about uploads.
    func intake(
        _ metadata: any MetadataStore, limits: InputLimits, sandbox: SandboxMode
    ) throws(ClairoError) -> UploadMessageHandler {
        UploadMessageHandler(
            metadata: metadata, start: try jobStart(metadata),
            events: try eventIntake(metadata, limits: limits, sandbox: sandbox))
    }

    /// Registers objects that events tell of.
    func eventIntake(
        _ metadata: any MetadataStore, limits: InputLimits, sandbox: SandboxMode = .auto
    ) throws(ClairoError) -> ObjectEventHandler {
        ObjectEventHandler(
            ownStores: [try rawStore(), try outputStore()], metadata: metadata,
            prober: try prober(limits, sandbox: sandbox),
            openBucket: { (name) throws(ClairoError) in try openStore("s3://\(name)") }, stop: stop)
    }

    /// Nil where no webhook is set.
    func webhook() throws(ClairoError) -> (any WebhookSender)? {
        guard let url = settings.value(.webhookURL) else { return nil }
        var secret = settings.value(.webhookSecret)
        if secret == nil { secret = try self.secret(in: .webhookSecretFile) }
        guard let secret else {
            throw .configuration(
                "There is a webhook, but no secret to sign its messages with",
                advice:
                    "Set \(Settings.Key.webhookSecret.environmentName) or \(Settings.Key.webhookSecretFile.environmentName)."
            )
        }
        return try HTTPWebhook(url: url, secret: secret, environment: environment.variables)
    }

    private func secret(in key: Settings.Key) throws(ClairoError) -> String? {
        guard let path = settings.value(key) else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .configuration("Cannot read the file that \(key.environmentName) names: \(path)")
        }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
    }
}
