public import ArgumentParser
public import ClairoCore
public import ClairoExecutors

// Types of other modules that have the same form on the command line as in JSON and SQL.

extension Priority: ExpressibleByArgument {}

extension Video.State: ExpressibleByArgument {}

extension SandboxMode: ExpressibleByArgument {}
