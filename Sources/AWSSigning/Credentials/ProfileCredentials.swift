/// The credentials of a profile in the shared files, or from its `credential_process`.
///
/// A profile that assumes a role or uses SSO or a web identity is an error. It is not skipped, because the next
/// provider would have another identity.
struct ProfileCredentials: CredentialProvider {
    let system: AWSSystem
    /// Overrides `AWS_PROFILE`.
    let profile: String?

    private var profileName: String { profile ?? system.profileVariable ?? "default" }

    var name: String { "profile \(profileName)" }

    func credentials() throws(ProviderFailure) -> AWSCredentials {
        if profile == nil, system.variable("AWS_WEB_IDENTITY_TOKEN_FILE") != nil {
            throw .invalid("AWS_WEB_IDENTITY_TOKEN_FILE is set, but web identities are not supported")
        }
        let files: AWSProfileFiles
        do { files = try AWSProfileFiles(system) } catch { throw .invalid(error.description) }
        let places = "\(files.credentialsPath) or \(files.configurationPath)"
        let keys = files.credentials(of: profileName)
        let configuration = files.configuration(of: profileName)
        if keys == nil, configuration == nil {
            let reason = "not found in \(places)"
            if profile != nil || system.profileVariable != nil { throw .invalid(reason) }
            throw .nothing(reason)
        }
        let all = (configuration ?? [:]).merging(keys ?? [:]) { $1 }
        for (setting, meaning) in Self.unsupported where all[setting] != nil {
            throw .invalid("it has \(setting), but \(meaning) is not supported; use credential_process instead")
        }
        if let found = try pair(keys ?? [:]) { return found }
        if let command = all["credential_process"]?.text, !command.isEmpty { return try output(of: command) }
        if let found = try pair(configuration ?? [:]) { return found }
        throw .nothing("it has no aws_access_key_id in \(places)")
    }

    private static let unsupported = [
        ("role_arn", "assuming a role"), ("web_identity_token_file", "a web identity"), ("sso_session", "SSO"),
        ("sso_start_url", "SSO"),
    ]

    private func pair(_ section: AWSProfileFiles.Section) throws(ProviderFailure) -> AWSCredentials? {
        func value(_ name: String) -> String? { section[name].flatMap { $0.text.isEmpty ? nil : $0.text } }
        let key = value("aws_access_key_id")
        let secret = value("aws_secret_access_key")
        guard key != nil || secret != nil else { return nil }
        guard let key else { throw .invalid("it has aws_secret_access_key, but no aws_access_key_id") }
        guard let secret else { throw .invalid("it has aws_access_key_id, but no aws_secret_access_key") }
        return AWSCredentials(
            accessKeyID: key, secretAccessKey: secret,
            sessionToken: value("aws_session_token") ?? value("aws_security_token"))
    }

    private func output(of command: String) throws(ProviderFailure) -> AWSCredentials {
        do {
            return try CredentialDocument.process(system.run(command))
        } catch let failure as ProviderFailure {
            throw failure
        } catch {
            throw .unavailable("credential_process failed: \(error)")
        }
    }
}
