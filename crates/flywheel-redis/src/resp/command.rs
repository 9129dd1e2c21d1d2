/// A command, encoded argument by argument as it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    arguments: usize,
    body: Vec<u8>,
    checked: bool,
}

impl Command {
    /// The command called `name`; `name` may hold further words, such as `CLIENT SETNAME`.
    pub fn new(name: &str) -> Self {
        Self::with_capacity(name, 64)
    }

    /// The same with room for `bytes` of arguments.
    pub fn with_capacity(name: &str, bytes: usize) -> Self {
        let command = Self { arguments: 0, body: Vec::with_capacity(bytes + 32), checked: false };
        name.split(' ').fold(command, Self::arg)
    }

    /// Arguments alone, to be appended to a command.
    pub(crate) fn of_nothing(bytes: usize) -> Self {
        Self { arguments: 0, body: Vec::with_capacity(bytes + 16), checked: false }
    }

    /// Adds the arguments of `other`.
    #[must_use]
    pub(crate) fn append(mut self, other: &Self) -> Self {
        self.arguments += other.arguments;
        self.body.extend_from_slice(&other.body);
        self
    }

    /// Adds an argument of any bytes.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<[u8]>) -> Self {
        self.push(argument.as_ref());
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        let mut digits = Digits::default();
        self.push(digits.of(number));
        self
    }

    /// Adds an argument of any bytes.
    pub fn push(&mut self, argument: &[u8]) {
        let mut digits = Digits::default();
        let length = digits.of(argument.len() as u64);
        self.arguments += 1;
        self.body.reserve(argument.len() + length.len() + 5);
        self.body.push(b'$');
        self.body.extend_from_slice(length);
        self.body.extend_from_slice(b"\r\n");
        self.body.extend_from_slice(argument);
        self.body.extend_from_slice(b"\r\n");
    }

    /// Promises that the answer, unless it is an error, is an array that ends with the last argument, which the link adds:
    /// a word of its own for each call. An answer without it was meant for somebody else.
    #[must_use]
    pub fn checked(mut self) -> Self {
        self.checked = true;
        self
    }

    /// Whether [`checked`](Self::checked) was called.
    pub fn is_checked(&self) -> bool {
        self.checked
    }

    /// Bytes it takes on the wire, up to a few.
    pub fn len(&self) -> usize {
        self.body.len() + 8
    }

    /// Whether it has no words. Servers ignore such a command.
    pub fn is_empty(&self) -> bool {
        self.arguments == 0
    }

    /// Appends the command to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut digits = Digits::default();
        out.push(b'*');
        out.extend_from_slice(digits.of(self.arguments as u64));
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}

/// Decimal text without an allocation.
#[derive(Default)]
pub(crate) struct Digits([u8; 20]);

impl Digits {
    pub(crate) fn of(&mut self, mut number: u64) -> &[u8] {
        let mut start = self.0.len();
        loop {
            start -= 1;
            self.0[start] = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
            if number == 0 {
                return &self.0[start..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &Command, expected: &str) {
        let mut out = Vec::new();
        command.write(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn a_command_is_an_array_of_strings() {
        check(&Command::new("PING"), "*1\r\n$4\r\nPING\r\n");
        let setname = Command::new("CLIENT SETNAME").arg("a b");
        check(&setname, "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$3\r\na b\r\n");
        let numbers = Command::new("X").number(0).number(u64::MAX).arg("");
        check(&numbers, "*4\r\n$1\r\nX\r\n$1\r\n0\r\n$20\r\n18446744073709551615\r\n$0\r\n\r\n");
    }
}
