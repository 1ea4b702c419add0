//! Checkpoints and proofs for auditors, who do not trust this server.

use crate::{
    app::{ConsistencyProof, ConsistencyQuery, InclusionProof, InclusionQuery, parse_min_position},
    audit::checkpoint::LogState,
    event_log::Hash,
    proto::{
        GetCheckpointKeyResponse, GetConsistencyProofRequest, GetConsistencyProofResponse,
        GetInclusionProofRequest, GetInclusionProofResponse, GetSignedCheckpointRequest,
        GetSignedCheckpointResponse, SignedCheckpoint,
    },
};

use super::{Error, Operations};

impl Operations {
    pub(crate) async fn get_signed_checkpoint(
        &self,
        request: GetSignedCheckpointRequest,
    ) -> Result<GetSignedCheckpointResponse, Error> {
        self.wait_to_read(parse_min_position(request.min_position)?).await?;
        let checkpoint = self.sign(&self.app.history().state());
        let witnessed = self.signer.witnessed();
        Ok(GetSignedCheckpointResponse { checkpoint: Some(checkpoint), witnessed })
    }

    pub(crate) fn get_checkpoint_key(&self) -> GetCheckpointKeyResponse {
        GetCheckpointKeyResponse {
            public_key: self.signer.public_key().to_vec(),
            public_key_pem: self.signer.public_key_pem(),
            verifier_key: self.signer.note_key(self.app.history().log_id()).to_string(),
        }
    }

    pub(crate) async fn get_inclusion_proof(
        &self,
        request: GetInclusionProofRequest,
    ) -> Result<GetInclusionProofResponse, Error> {
        let min_position = request.min_position;
        let query = InclusionQuery::parse(request)?;
        self.wait_to_read(min_position).await?;
        let proof = self.app.history().prove_inclusion(&query).await?;
        let InclusionProof { record, index, tree, hashes, newest } = proof;
        Ok(GetInclusionProofResponse {
            record: record.stored.to_vec(),
            leaf_index: to_int(index),
            tree_size: to_int(tree.size),
            root_hash: tree.root.0.to_vec(),
            hashes: to_bytes(&hashes),
            checkpoint: newest.map(|state| self.sign(&state)),
        })
    }

    pub(crate) async fn get_consistency_proof(
        &self,
        request: GetConsistencyProofRequest,
    ) -> Result<GetConsistencyProofResponse, Error> {
        let query = ConsistencyQuery::parse(request)?;
        self.wait_to_read(request.min_position).await?;
        let proof = self.app.history().prove_consistency(query).await?;
        let ConsistencyProof { old, new, hashes, newest } = proof;
        Ok(GetConsistencyProofResponse {
            old_size: to_int(old.size),
            old_root_hash: old.root.0.to_vec(),
            new_size: to_int(new.size),
            new_root_hash: new.root.0.to_vec(),
            hashes: to_bytes(&hashes),
            checkpoint: newest.map(|state| self.sign(&state)),
        })
    }

    fn sign(&self, state: &LogState) -> SignedCheckpoint {
        self.signer.sign(state, self.app.source().now())
    }
}

fn to_bytes(hashes: &[Hash]) -> Vec<Vec<u8>> {
    hashes.iter().map(|hash| hash.0.to_vec()).collect()
}

fn to_int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
