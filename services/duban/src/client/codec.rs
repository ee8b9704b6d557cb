//! Dynamic messages on the wire.

use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Sends any message and reads replies of one type.
#[derive(Debug, Clone)]
pub(crate) struct DynamicCodec {
    reply: MessageDescriptor,
}

impl DynamicCodec {
    /// For the replies of an RPC.
    pub(crate) fn of(method: &MethodDescriptor) -> Self {
        Self { reply: method.output() }
    }
}

impl Codec for DynamicCodec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for DynamicCodec {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(buffer).map_err(|error| Status::invalid_argument(error.to_string()))
    }
}

impl Decoder for DynamicCodec {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let reply = DynamicMessage::decode(self.reply.clone(), buffer);
        // The bytes came whole: what can't be read is of another version.
        reply.map(Some).map_err(|error| Status::unimplemented(format!("the reply can't be read: {error}")))
    }
}
