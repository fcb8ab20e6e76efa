/// Credentials that the program itself has received (`AWSSystem.credentials`).
struct GivenCredentials: CredentialProvider {
    let given: @Sendable () -> AWSCredentials?

    var name: String { "given" }

    func credentials() throws(ProviderFailure) -> AWSCredentials {
        guard let credentials = given() else { throw .unavailable("none were received") }
        return credentials
    }
}
