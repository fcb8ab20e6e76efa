/// The credentials in `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
struct EnvironmentCredentials: CredentialProvider {
    let system: AWSSystem

    var name: String { "environment" }

    func credentials() throws(ProviderFailure) -> AWSCredentials {
        let secret = system.variable("AWS_SECRET_ACCESS_KEY")
        guard let key = system.variable("AWS_ACCESS_KEY_ID") else {
            if secret != nil { throw .invalid("AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not") }
            throw .nothing("AWS_ACCESS_KEY_ID is not set")
        }
        guard let secret else { throw .invalid("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not") }
        return AWSCredentials(
            accessKeyID: key, secretAccessKey: secret, sessionToken: system.variable("AWS_SESSION_TOKEN"))
    }
}
