internal import ClairoCore
internal import ClairoMessaging
internal import ClairoPipeline
internal import Foundation

/// Jobs: profiles, scheduling, operations on jobs, and webhooks.
extension Services {
    /// The profiles that workers process videos with.
    func profiles() throws(ClairoError) -> Profiles {
        guard let file = settings.value(.profiles) else { return Profiles() }
        return try ProfilesFile.read(file)
    }

    func policy() throws(ClairoError) -> QueuePolicy {
        try QueuePolicy(settings.value(.tenantWeights) ?? "")
    }

    var messages: JobMessages { JobMessages(hasWebhook: settings.value(.webhookURL) != nil) }

    func jobStart(_ metadata: any MetadataStore) throws(ClairoError) -> JobStart {
        JobStart(metadata: metadata, policy: try policy(), messages: messages)
    }

    func jobOperations(_ metadata: any MetadataStore) throws(ClairoError) -> JobOperations {
        JobOperations(
            metadata: metadata, output: try outputStore(), start: try jobStart(metadata), messages: messages,
            profiles: { () throws(ClairoError) in settings.value(.profiles) == nil ? nil : try profiles() })
    }

    func deadLetters(_ metadata: any MetadataStore) throws(ClairoError) -> DeadLetterOperations {
        DeadLetterOperations(metadata: metadata, jobs: try jobOperations(metadata))
    }

    /// Nil if no webhook is set.
    func webhook() throws(ClairoError) -> (any WebhookSender)? {
        guard let url = settings.value(.webhookURL) else { return nil }
        var secret = settings.value(.webhookSecret)
        if secret == nil { secret = try self.secret(in: .webhookSecretFile) }
        guard let secret else {
            throw .configuration(
                "The webhook has no secret to sign its messages with",
                advice:
                    "Set \(Settings.Key.webhookSecret.environmentName) or \(Settings.Key.webhookSecretFile.environmentName)."
            )
        }
        return try HTTPWebhook(url: url, secret: secret, environment: environment.variables)
    }

    /// The secret from which the keys of videos are derived; nil if it is not set.
    func masterSecret() throws(ClairoError) -> MasterSecret? {
        guard let text = try secret(in: .masterKeyFile) else { return nil }
        return try MasterSecret(text)
    }

    /// The keys of videos; nil without a master secret.
    func videoKeys() throws(ClairoError) -> VideoKeys? {
        try masterSecret().map { VideoKeys($0, publicURL: settings.value(.publicURL)) }
    }

    private func secret(in key: Settings.Key) throws(ClairoError) -> String? {
        guard let path = settings.value(key) else { return nil }
        return try TextLines.secret(in: path, kind: "\(key.rawValue)")
    }
}
